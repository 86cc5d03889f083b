-- The end of an impersonation reaches the verifiers as every other end does (0032): in its own
-- transaction, by a trigger. Of one that never began nobody has a token. The previous release does
-- not know impersonations.
create trigger told after update of ended_at on identity.impersonation for each row
  when (old.ended_at is null and new.ended_at is not null and new.started_at is not null)
  execute function revocation.tell('impersonation');
