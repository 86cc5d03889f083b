-- How often one of support asked lately: found by who and when (src/impersonation/model.rs says how
-- often he may).
--
-- The previous release looks by who alone, which this index serves as well.
create index impersonation_by_actor_and_time on identity.impersonation (actor_id, requested_at);
drop index identity.impersonation_by_actor;
