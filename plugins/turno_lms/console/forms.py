"""The small forms of buttons. Text that comes from data is escaped by Jinja."""

from jinja2 import Environment, PackageLoader, select_autoescape

from turno_lms.console.fields import FILTERS

_templates = Environment(
    loader=PackageLoader("turno_lms.console", "templates/forms"), autoescape=select_autoescape(default=True)
)
_templates.filters |= FILTERS


def form(template: str, **values: object) -> str:
    """The HTML of `templates/forms/<template>.html`."""
    return _templates.get_template(f"{template}.html").render(**values)
