"""What every request has to pass, and what every response carries: Host, Origin, and the headers of safety."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFETY: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Lets only requests through that were sent to this page, and forms only from this page.

    `url` is the address that people open. Without it a page on loopback has loopback's names, and one behind a proxy
    goes by the Host that the proxy sends on.
    """

    def __init__(self, app: ASGIApp, *, url: str | None, is_behind_proxy: bool) -> None:
        self._app = app
        self._url = urlsplit(url) if url else None
        self._is_behind_proxy = is_behind_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFETY)
            await send(message)

        await (self._refuse(scope) or self._app)(scope, receive, send_safely)

    def _refuse(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_our_host(hosts[0].lower(), scope):
            return PlainTextResponse("This address is not the admin page's.\n", 400)
        if scope["method"] not in ("GET", "HEAD") and not self._is_from_us(headers, hosts[0].lower()):
            return PlainTextResponse("The form was not sent from the admin page; nothing was changed.\n", 403)
        return None

    def _is_our_host(self, host: str, scope: Scope) -> bool:
        if self._url is not None and host == self._url.netloc.lower():
            return True
        if self._is_behind_proxy:
            return self._url is None
        _, port = scope.get("server") or ("", None)
        names = ("127.0.0.1", "localhost", "[::1]")
        return host in {f"{name}:{port}" for name in names} or (port == 80 and host in names)

    def _is_from_us(self, headers: Headers, host: str) -> bool:
        """Whether a form came from one of our pages.

        Since our pages send no referrer, browsers give their forms the origin `null`. Then `Sec-Fetch-Site` decides,
        which no page can forge.
        """
        site = headers.getlist("sec-fetch-site")
        if site and site != ["same-origin"]:
            return False
        origins = headers.getlist("origin")
        if not origins or origins == ["null"]:
            return bool(site) or not origins
        ours = {f"{self._url.scheme}://{self._url.netloc}".lower()} if self._url else set()
        if self._url is None or not self._is_behind_proxy:
            ours |= {f"http://{host}"} | ({f"https://{host}"} if self._is_behind_proxy else set())
        return len(origins) == 1 and origins[0].lower() in ours
