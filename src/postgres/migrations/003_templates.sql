-- Templates, whole, as JSON text: a JSON type would change numbers, and text cannot hold every string that JSON can.
CREATE TABLE ara.templates (
  tenant_id  text COLLATE "C" NOT NULL DEFAULT 'default',
  id         text COLLATE "C" NOT NULL,
  updated_at text NOT NULL,
  body       text NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
