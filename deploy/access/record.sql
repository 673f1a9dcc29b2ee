-- Least rights for the record: `saek_owner` makes and changes the tables (saek db upgrade), `saek` works in them.
-- Run it in the empty database, as its administrator, before the first `saek db upgrade`; give both passwords by
-- \password. Tables that later releases add are covered.

CREATE ROLE saek_owner LOGIN;
CREATE ROLE saek LOGIN;

CREATE SCHEMA saek AUTHORIZATION saek_owner;
GRANT USAGE ON SCHEMA saek TO saek;
ALTER ROLE saek_owner SET search_path = saek;
ALTER ROLE saek SET search_path = saek;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE saek_owner IN SCHEMA saek
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO saek;
ALTER DEFAULT PRIVILEGES FOR ROLE saek_owner IN SCHEMA saek
    GRANT USAGE ON SEQUENCES TO saek;
