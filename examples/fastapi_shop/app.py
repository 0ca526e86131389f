"""A shop on FastAPI and SQLAlchemy, whose activity log names the user of each request.

A proxy in front signs users in, and names them in the header X-Remote-User.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from auditctl import acting_as
from auditctl.errors import UsageError
from auditctl.integrations.asgi import ActingMiddleware
from auditctl.integrations.sqlalchemy import instrument

PROXIES = ["127.0.0.1"]
"""The only addresses whose X-Remote-User and X-Forwarded-For are believed."""

engine = create_engine("postgresql+psycopg://")  # libpq's variables say where: PGHOST, PGDATABASE, PGUSER ...
instrument(engine)
transaction = sessionmaker(engine, expire_on_commit=False).begin


class Base(DeclarativeBase):
    def json(self) -> dict[str, object]:
        return {column.name: getattr(self, column.name) for column in self.__table__.columns}


class Product(Base):
    __tablename__ = "product"
    __table_args__ = {"schema": "shop"}
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[Decimal]
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "customer_order"
    __table_args__ = {"schema": "shop"}
    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id))
    quantity: Mapped[int]
    status: Mapped[str] = mapped_column(default="open")


class NewOrder(BaseModel):
    product_id: int
    quantity: int = Field(gt=0, le=1000)


class NewPrice(BaseModel):
    price: Decimal = Field(ge=0, max_digits=10, decimal_places=2)


class Refund(BaseModel):
    reason: str = Field(min_length=3, max_length=500)


def current_user(scope: MutableMapping[str, Any]) -> str | None:
    """Return the user whom the proxy names; None for a request that names nobody, or that comes from elsewhere."""
    if (scope.get("client") or [None])[0] not in PROXIES:
        return None
    names = [value for key, value in scope["headers"] if key == b"x-remote-user"]
    return names[0].decode("utf-8", "replace").strip() or None if len(names) == 1 else None


def require_user(request: Request) -> str:
    """Return the user, or end the request."""
    user = current_user(request.scope)
    if user is None:
        raise HTTPException(401, "sign in first")
    return user


User = Annotated[str, Depends(require_user)]

app = FastAPI(title="Shop")
# Around each request: user, address and X-Request-ID go to the database with the first statement that writes.
app.add_middleware(ActingMiddleware, user=current_user, trusted_proxies=PROXIES)


@app.get("/products")
def products() -> list[dict[str, object]]:
    with transaction() as db:  # only reads: sends nothing more
        return [product.json() for product in db.scalars(select(Product).order_by(Product.id))]


@app.put("/products/{product_id}/price")
def set_price(product_id: int, body: NewPrice, user: User) -> dict[str, object]:
    with transaction() as db:
        product = db.get(Product, product_id) or not_found("product")
        product.price = body.price
    return product.json()


@app.post("/orders", status_code=201)
def place_order(body: NewOrder, user: User) -> dict[str, object]:
    with transaction() as db:
        product = db.get(Product, body.product_id, with_for_update=True) or not_found("product")
        if product.stock < body.quantity:
            raise HTTPException(409, f"only {product.stock} left")
        product.stock -= body.quantity
        order = Order(product_id=product.id, quantity=body.quantity)
        db.add(order)
    return order.json()


@app.post("/orders/{order_id}/refund")
def refund(order_id: int, body: Refund, user: User) -> dict[str, object]:
    # An inner block adds the reason, and inherits the address and the request id.
    with acting_as(user, reason=body.reason), transaction() as db:
        order = db.get(Order, order_id, with_for_update=True) or not_found("order")
        if order.status == "refunded":
            raise HTTPException(409, "this order was refunded before")
        order.status = "refunded"
    return order.json()


@app.exception_handler(DataError)
@app.exception_handler(IntegrityError)
@app.exception_handler(UsageError)
def refuse(request: Request, error: Exception) -> JSONResponse:
    """Answer a request whose values fit neither the tables nor the log."""
    return JSONResponse({"detail": "the request does not fit the shop"}, 400)


def not_found(what: str) -> Any:
    raise HTTPException(404, f"there is no such {what}")
