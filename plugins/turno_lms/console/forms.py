"""The small forms of buttons. Text that comes from data is escaped by Jinja."""

from decimal import Decimal

from jinja2 import Environment, PackageLoader, select_autoescape

from turno_lms.domain.money import indian_rupees


def shown_rupees(amount: Decimal | str) -> str:
    """The filter `rupees` of all templates: an amount in Indian grouping."""
    return indian_rupees(Decimal(amount))


_templates = Environment(
    loader=PackageLoader("turno_lms.console", "templates/forms"), autoescape=select_autoescape(default=True)
)
_templates.filters["rupees"] = shown_rupees


def form(template: str, **values: object) -> str:
    """The HTML of `templates/forms/<template>.html`."""
    return _templates.get_template(f"{template}.html").render(**values)
