"""A page as its reader has it: its text, its links, and its forms as a browser would send them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
_BLOCKS = {"p", "li", "tr", "td", "th", "h1", "h2", "h3", "section", "div", "form", "option", "pre", "main", "summary"}


@dataclass
class Form:
    """A form: where it goes, its fields in order, the boxes that could be checked, and the texts of its buttons."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]


class Document(HTMLParser):
    """The parsed page. `tags` are all elements with their attributes; `cells` the texts of `bdi` elements."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[Form] = []
        self.names: list[str] = []
        self.block: str | None = None
        self._text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        """The page's text, with white space as a reader sees it."""
        return " ".join("".join(self._text).split())

    def form(self, action: str, **fields: str) -> Form:
        """The form that goes to this address, and has these fields."""
        wanted = set(fields.items())
        (found,) = [form for form in self.forms if form.action == action and wanted <= set(form.fields)]
        return found

    def links(self) -> list[str]:
        return [attributes.get("href") or "" for tag, attributes in self.tags if tag == "a"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag in _BLOCKS or tag == "br":
            self._text.append("\n")
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "form":
            self.forms.append(Form(given.get("action") or ""))
        if tag == "bdi":
            self.names.append("")
        if tag == "pre":
            self.block = ""
        name, value = given.get("name"), given.get("value")
        if tag == "input" and name and self.forms:
            is_box = given.get("type") in ("checkbox", "radio")
            if is_box:
                self.forms[-1].boxes.append((name, value or "on"))
            if not is_box or "checked" in given:
                self.forms[-1].fields.append((name, "on" if value is None and is_box else value or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, "every element is closed where it was opened"

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        if "bdi" in self._open:
            self.names[-1] += data
        if "pre" in self._open and self.block is not None:
            self.block += data
