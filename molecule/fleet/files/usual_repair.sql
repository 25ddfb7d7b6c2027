-- psql sets admin_password.
ALTER ROLE dba_billing PASSWORD :'admin_password';
