"""Who guesses passwords is refused, however it is done; nobody else is, and memory stays small."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from auditctl.web.auth.throttle import LIMITS, WINDOW_SECONDS, Throttle
from auditctl.web.errors import TooManyAttempts
from auditctl.web.views import login as login_view
from tests.fixtures.web import Page

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Clock, ServePage


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


@pytest.fixture
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_view, "DELAY_SECONDS", 0.0)


def allowed(throttle: Throttle, address: str, login: str) -> bool:
    try:
        throttle.begin(address, login)
    except TooManyAttempts:
        return False
    return True


def test_five_of_a_login_from_an_address_are_let_through(throttle: Throttle) -> None:
    assert [allowed(throttle, "a", "ann") for _ in range(7)] == [True] * 5 + [False] * 2
    assert allowed(throttle, "b", "ann")
    assert allowed(throttle, "a", "ben")


def test_twenty_from_an_address_are_let_through(throttle: Throttle) -> None:
    assert sum(allowed(throttle, "a", f"login {count}") for count in range(40)) == LIMITS["address"]


def test_fifty_of_a_login_from_anywhere_are_let_through(throttle: Throttle) -> None:
    assert sum(allowed(throttle, f"10.0.0.{count}", "ann") for count in range(100)) == LIMITS["login"]


def test_an_address_of_ipv6_counts_by_its_home(throttle: Throttle) -> None:
    made = [f"2001:db8:0:7::{count:x}" for count in range(30)]
    assert sum(allowed(throttle, address, f"login {address}") for address in made) == LIMITS["address"]
    assert allowed(throttle, "2001:db8:0:8::1", "ann")


def test_after_the_window_it_may_be_tried_again(throttle: Throttle, clock: Clock) -> None:
    for _ in range(LIMITS["pair"]):
        throttle.begin("a", "ann")
    clock.now = WINDOW_SECONDS - 1
    with pytest.raises(TooManyAttempts) as error:
        throttle.begin("a", "ann")
    assert (error.value.seconds, error.value.hint) == (2, "Try again in 1 minute.")
    clock.now = WINDOW_SECONDS + 1
    assert allowed(throttle, "a", "ann")


def test_a_success_forgives_its_login_and_takes_one_from_the_address(throttle: Throttle) -> None:
    for count in range(LIMITS["address"] - 1):
        throttle.begin("a", f"login {count}")
    throttle.begin("a", "ann")
    throttle.succeed("a", "ann")
    assert [allowed(throttle, "a", "ann") for _ in range(2)] == [True, False]


def test_memory_stays_small_whatever_is_tried(throttle: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditctl.web.auth.throttle._MAX_KEYS", 100)
    for count in range(2000):
        allowed(throttle, "one address", f"login {count}")
    assert len(throttle) <= 2 * LIMITS["address"] + 1
    for count in range(2000):
        allowed(throttle, f"10.{count // 250}.0.{count % 250}", f"login {count}" * 1000)
    assert len(throttle) <= 200


def at_once(client: Client, login: str, count: int, password: str = "guess") -> list[int]:
    """Send so many sign-ins at the same moment; their status codes."""
    text = client.get("/login").text
    csrf = text.partition('name="csrf" value="')[2].partition('"')[0]
    begin, codes = threading.Barrier(count), list[int]()

    def guess() -> None:
        begin.wait()
        answer = client.post("/login", data={"csrf": csrf, "login": login, "password": password})
        codes.append(answer.status_code)

    threads = [threading.Thread(target=guess) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


@pytest.mark.usefixtures("no_delay")
def test_many_guesses_at_once_gain_nothing(page: Page, person: MakeLogin) -> None:
    codes = at_once(page.client(), person("ann", roles=["auditctl_reader"]).name, 20)
    assert Counter(codes) == {401: LIMITS["pair"], 429: 20 - LIMITS["pair"]}


@pytest.mark.usefixtures("no_delay")
def test_a_name_that_the_database_would_cut_is_no_other_name_for_a_login(page: Page) -> None:
    client = page.client()
    for login in ("x" * 64, "x" * 5000, "\N{SNOWMAN}" * 22, "a\0b"):
        assert client.sign_in(login, "guess").status_code == 401


@pytest.mark.usefixtures("no_delay")
def test_an_address_that_anybody_claims_counts_for_nothing(page: Page) -> None:
    codes = [claim(page, f"203.0.113.{count}", f"login {count}") for count in range(22)]
    assert codes == [401] * 20 + [429] * 2


@pytest.mark.usefixtures("no_delay")
@pytest.mark.parametrize("proxies", [("127.0.0.1/32",), ("2001:db8::/32", "127.0.0.0/8")])
def test_the_address_that_a_trusted_proxy_forwards_counts(serve_page: ServePage, proxies: tuple[str, ...]) -> None:
    page = serve_page(trusted_proxies=proxies)
    assert [claim(page, "203.0.113.7", "nobody") for _ in range(6)] == [401] * 5 + [429]
    assert claim(page, "203.0.113.8", "nobody") == 401
    # What the proxy itself wrote stands last; the rest is what the visitor sent.
    assert claim(page, "198.51.100.1, 203.0.113.7", "nobody") == 429
    assert claim(page, "203.0.113.7, 127.0.0.9", "nobody") == (429 if "127.0.0.0/8" in proxies else 401)
    assert [claim(page, f"[2001:db9::{count}]:443", "else") for count in range(6)] == [401] * 5 + [429]


@pytest.mark.usefixtures("no_delay")
def test_a_forwarded_address_that_is_none_counts_as_the_proxy(serve_page: ServePage) -> None:
    page = serve_page(trusted_proxies=("127.0.0.1/32",))
    odd = ["unknown", "<script>", "x" * 3000, "10.0.0.1.2", "\u00ff", "1"]
    assert [claim(page, text, "nobody") for text in odd] == [401] * 5 + [429]


def claim(page: Page, address: str, login: str) -> int:
    """Guess once, with a claim where the visitor is; the status code."""
    client = page.client(headers={"x-forwarded-for": address.encode("latin-1")})
    return client.sign_in(login, "guess").status_code


@pytest.mark.usefixtures("no_delay")
def test_attempts_while_the_database_is_down_count_for_nothing(serve_page: ServePage, person: MakeLogin) -> None:
    page = serve_page("host=127.0.0.1 port=1 dbname=gone connect_timeout=2")
    client = page.client()
    answers = [client.sign_in("ann", "right") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [503] * 7
    assert "127.0.0.1" not in answers[0].text
    assert "The database does not answer." in answers[0].text


def test_every_failure_takes_the_same_time_at_least(
    page: Page, person: MakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("auditctl.web.views.login.time.sleep", slept.append)
    monkeypatch.setattr(login_view, "DELAY_SECONDS", 1000.0)
    client = page.client()
    ann, stranger = person("ann", roles=["auditctl_reader"]), person("stranger")
    tried = [(ann.name, "wrong"), ("nobody", "wrong"), (ann.name, ""), ("", ""), ("x" * 99, "x"), (stranger.name, None)]
    for login, password in tried:
        client.sign_in(login, *([] if password is None else [password]))
    assert len(slept) == len(tried)
    assert all(990 < seconds <= 1000 for seconds in slept)
