-- The tables of the shops on FastAPI and Flask. Their owner makes them; the application's login is shop_web.

create schema shop;
grant usage on schema shop to shop_web;

create table shop.product (
    id integer generated always as identity primary key,
    name text not null unique,
    price numeric(10, 2) not null constraint product_price_is_not_negative check (price >= 0),
    stock integer not null constraint product_stock_is_not_negative check (stock >= 0)
);

create table shop.customer_order (
    id integer generated always as identity primary key,
    product_id integer not null references shop.product,
    quantity integer not null constraint customer_order_quantity_is_positive check (quantity > 0),
    status text not null default 'open' constraint customer_order_status_is_known check (status in ('open', 'refunded'))
);

create table shop.staff (
    name text primary key,
    password_hash text not null
);

insert into shop.product (name, price, stock) values ('Teapot', 24.00, 12), ('Cup', 6.50, 80);

grant select, insert, update on all tables in schema shop to shop_web;
