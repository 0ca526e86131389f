"""A shop on Flask and psycopg, whose activity log names the user of each request.

Its staff signs in with a password; a signed cookie holds the session.
"""

from __future__ import annotations

from typing import Any

import click
from flask import Flask, Response, abort, jsonify, request, session
from psycopg import Connection, DataError, IntegrityError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool
from werkzeug.security import check_password_hash, generate_password_hash

from auditctl import acting_as
from auditctl.errors import UsageError
from auditctl.integrations.psycopg import instrument
from auditctl.integrations.wsgi import ActingMiddleware

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_SECRET_KEY; where TLS is, also FLASK_SESSION_COOKIE_SECURE=true
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"

# libpq's variables say where: PGHOST, PGDATABASE, PGUSER ...
pool = ConnectionPool(connection_class=Connection[DictRow], kwargs={"row_factory": dict_row}, open=True)
instrument(pool)


def current_user(environ: dict[str, Any]) -> str | None:
    """Return the user of a request's session."""
    with app.request_context(environ):
        return session.get("user")


# Around each request: user, address and X-Request-ID go to the database with the first statement that writes.
app.wsgi_app = ActingMiddleware(app.wsgi_app, user=current_user)  # type: ignore[method-assign]


def require_user() -> str:
    """Return the user, or end the request."""
    if "user" not in session:
        abort(401, "sign in first")
    return str(session["user"])


def fields(**kinds: type) -> dict[str, Any]:
    """Return the fields of a request's JSON, or end the request."""
    body = request.get_json()
    if not isinstance(body, dict) or not all(isinstance(body.get(name), kind) for name, kind in kinds.items()):
        abort(400, f"the request needs {', '.join(kinds)}")
    return body


@app.post("/login")
def login() -> Response:
    body = fields(name=str, password=str)
    with pool.connection() as conn:
        row = conn.execute("select * from shop.staff where name = %s", [body["name"]]).fetchone()
    if row is None or not check_password_hash(row["password_hash"], body["password"]):
        abort(401, "wrong name or password")
    session.clear()
    session["user"] = row["name"]
    return jsonify(row["name"])


@app.get("/products")
def products() -> Response:
    with pool.connection() as conn:  # only reads: sends nothing more
        return jsonify(conn.execute("select * from shop.product order by id").fetchall())


@app.put("/products/<int:product_id>/price")
def set_price(product_id: int) -> Response:
    require_user()
    price = fields(price=str)["price"]
    with pool.connection() as conn:
        update = "update shop.product set price = %s where id = %s returning *"
        return jsonify(conn.execute(update, [price, product_id]).fetchone() or abort(404))


@app.post("/orders")
def place_order() -> tuple[Response, int]:
    require_user()
    body = fields(product_id=int, quantity=int)
    with pool.connection() as conn:
        take = "update shop.product set stock = stock - %(quantity)s where id = %(product_id)s returning id"
        conn.execute(take, body).fetchone() or abort(404)
        insert = (
            "insert into shop.customer_order (product_id, quantity) values (%(product_id)s, %(quantity)s) returning *"
        )
        return jsonify(conn.execute(insert, body).fetchone()), 201


@app.post("/orders/<int:order_id>/refund")
def refund(order_id: int) -> Response:
    reason = fields(reason=str)["reason"]
    # An inner block adds the reason, and inherits the address and the request id.
    with acting_as(require_user(), reason=reason), pool.connection() as conn:
        update = "update shop.customer_order set status = 'refunded' where id = %s and status = 'open' returning *"
        return jsonify(conn.execute(update, [order_id]).fetchone() or abort(409, "there is no such open order"))


@app.errorhandler(DataError)
@app.errorhandler(IntegrityError)
@app.errorhandler(UsageError)
def refuse(error: Exception) -> tuple[str, int]:
    """Answer a request whose values fit neither the tables nor the log."""
    return "the request does not fit the shop", 400


@app.cli.command("add-staff")
@click.argument("name")
@click.option("--reason", prompt=True)
@click.option("--password", prompt=True, hide_input=True, envvar="STAFF_PASSWORD")
def add_staff(name: str, reason: str, password: str) -> None:
    """Add somebody who can sign in."""
    # A command has no request: it says itself who acts. The table's rule requires a reason.
    with acting_as("add-staff", reason=reason), pool.connection() as conn:
        insert = "insert into shop.staff (name, password_hash) values (%s, %s)"
        conn.execute(insert, [name, generate_password_hash(password)])
