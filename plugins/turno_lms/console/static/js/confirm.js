/* Before an action: what a chosen set of rows comes to, counted by the server, and no sending of a form that is not filled in. */
(function () {
  "use strict";

  function chosen() {
    const query = new URLSearchParams();
    const all = $('[data-sa-hook="select-all-banner-all"]');
    if (all.length && !all.hasClass("d-none") && !$('[data-sa-hook="select-all-banner"]').hasClass("d-none")) {
      query.append("all", "1");
    } else {
      $('[data-sa-hook="row-checkbox"]:checked').each(function () {
        query.append("pks", $(this).val());
      });
    }
    query.append("_list_query", window.location.search);
    return query;
  }

  async function tellRadius(place) {
    const submit = $('[data-sa-action="action-submit"]').prop("disabled", true);
    place.text("Counting what this touches…");
    try {
      const response = await fetch(place.data("turno-radius") + "?" + chosen().toString());
      const told = await response.json();
      place.text(told.told);
      const form = place.closest("form");
      form.find('[name="told_items"]').val(told.items);
      form.find('[name="told_rupees"]').val(told.rupees);
      submit.prop("disabled", !response.ok);
    } catch (unreachable) {
      place.text("It could not be counted: reload the page and try again.");
    }
  }

  $(function () {
    $('[data-sa-hook="modal-action"]').on("shown.bs.modal", function () {
      $('[data-sa-action="action-submit"]').prop("disabled", false);
      const place = $(this).find("[data-turno-radius]");
      if (place.length) {
        tellRadius(place);
      }
      const first = this.querySelector("form input:not([type=hidden]), form select, form textarea");
      if (first && !this.querySelector("form").contains(document.activeElement)) {
        first.focus();
      }
    });
  });

  // on window, since the dialog closes itself from the document on
  window.addEventListener(
    "click",
    function (event) {
      const submit = event.target.closest ? event.target.closest('[data-sa-action="action-submit"]') : null;
      const form = submit && document.querySelector('[data-sa-hook="modal-form"] form');
      if (form && !form.reportValidity()) {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    },
    true
  );

  document.addEventListener("submit", function (event) {
    // Enter in a field of a modal's form does what its button does
    if (event.target.closest('[data-sa-hook="modal-form"]') && !event.target.action.includes("/_api/")) {
      event.preventDefault();
      document.querySelector('[data-sa-action="action-submit"]').click();
    }
  });
})();
