-- What a platform team has: a database that its administrator owns, filled by two teams.
-- psql sets admin_password.

ALTER SYSTEM SET ssl = on;
SELECT pg_reload_conf();
-- The image asked for a password; from here on the superuser comes in over the socket alone.
ALTER ROLE postgres PASSWORD NULL;

CREATE ROLE app_owner NOLOGIN;
CREATE ROLE etl NOLOGIN;
CREATE ROLE dba LOGIN CREATEROLE PASSWORD :'admin_password';
GRANT app_owner, etl TO dba;
CREATE DATABASE sales OWNER dba;

\connect sales
-- The same on every version: up to 14 everybody may create in public.
ALTER SCHEMA public OWNER TO dba;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA orders AUTHORIZATION app_owner;
CREATE SCHEMA stats_daily AUTHORIZATION etl;
CREATE SCHEMA internal AUTHORIZATION app_owner;
GRANT USAGE, CREATE ON SCHEMA public, orders, stats_daily TO app_owner, etl;

SET ROLE app_owner;
CREATE TABLE public.customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
INSERT INTO public.customers (name) SELECT 'Customer ' || n FROM generate_series(1, 100) AS n;
CREATE TABLE orders.orders (id bigserial, customer bigint NOT NULL, day date NOT NULL, amount numeric NOT NULL)
    PARTITION BY RANGE (day);
CREATE TABLE orders.orders_2025 PARTITION OF orders.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE orders.orders_2026 PARTITION OF orders.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO orders.orders (customer, day, amount)
    SELECT 1 + n % 100, date '2025-01-01' + n, n FROM generate_series(0, 499) AS n;
CREATE SEQUENCE orders.invoice_number;
CREATE VIEW orders.by_customer AS SELECT customer, sum(amount) AS amount FROM orders.orders GROUP BY customer;
CREATE MATERIALIZED VIEW orders.by_day AS SELECT day, sum(amount) AS amount FROM orders.orders GROUP BY day;
CREATE TABLE stats_daily.targets (day date PRIMARY KEY, amount numeric);
CREATE TABLE internal.salaries (name text, amount numeric);

SET ROLE etl;
CREATE TABLE public.regions (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders.returns (order_id bigint, reason text);
CREATE TABLE stats_daily."Visits per Day (%)" (day date, visits integer);
CREATE VIEW stats_daily.busy_days AS SELECT day FROM stats_daily."Visits per Day (%)" WHERE visits > 1000;
