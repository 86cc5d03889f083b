-- The life of a signing key: next (published), current (signs), previous (published until its last
-- token has ended), gone (its private half is erased). The previous release reads the keys that are
-- not gone, and finds what it finds today.
alter table identity.signing_key
  -- Of a next one: when it takes its turn. Null for the others, and where it is the first.
  add column signs_from timestamptz,
  -- Null in rows of the previous release: since it was made.
  add column current_since timestamptz,
  add column previous_since timestamptz,
  add column gone_at timestamptz,
  alter column private_sealed drop not null,
  add constraint signing_key_is_erased_when_gone
    check ((standing = 'gone') = (private_sealed is null));
create unique index signing_key_one_next on identity.signing_key (alg) where standing = 'next';
create index signing_key_alive on identity.signing_key (created_at) where standing <> 'gone';
grant update (signs_from, current_since, previous_since, gone_at, private_sealed)
  on identity.signing_key to lanyard_identity;

insert into audit.event_type (type, plane) values
  ('keys.rotated', 'identity'),
  ('keys.revoked', 'identity'),
  ('epoch.begun', 'identity');
