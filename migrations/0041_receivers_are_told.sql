-- Receivers of shared signals that are told instead of asking (RFC 8935;
-- docs/decisions/0036-act-tokens-our-own-api-and-receivers.md).
--
-- The previous release tells nobody and leaves these columns alone: what a receiver is owed waits.

alter table revocation.receiver
  add column push_endpoint text check (length(push_endpoint) <= 1000), -- null: it polls
  -- The Authorization header that it wants to see, sealed; null: none.
  add column push_authorization_sealed bytea,
  add column push_failures integer not null default 0 check (push_failures >= 0),
  -- Until then one server tells it, or nobody after a failure; null: whenever something waits.
  add column push_after timestamptz,
  add constraint receiver_push_is_whole
    check (push_authorization_sealed is null or push_endpoint is not null);
create index receiver_pushed on revocation.receiver (push_after) where push_endpoint is not null;
grant update (push_endpoint, push_authorization_sealed, push_failures, push_after)
  on revocation.receiver to lanyard_identity;
