-- The platform's record is of all clinics: who looks for one of them finds what is about it.

-- Which clinic an entry is about, if it names one. Read from the line, which is what is signed: a
-- quote inside of a value is escaped there, so none is taken for a name.
alter table audit.entry add column about_tenant uuid generated always as (
  substring(line from
    '"tenant(?:_id)?": ?"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')::uuid
) stored; -- null: it names none
create index entry_by_about_tenant on audit.entry (tenant_id, about_tenant, leaf_index)
  where about_tenant is not null;
