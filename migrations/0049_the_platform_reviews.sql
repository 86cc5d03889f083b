-- What is unusual before a clinic is known stands on the platform's record: guesses at passwords and
-- codes, an operator's reset of somebody's. Who runs the platform looks at it and signs, as a
-- clinic's own people do for theirs (45 CFR 164.308(a)(5)(ii)(C)).
insert into identity.role_permission (role, permission) values
  ('super_admin', 'audit.review.read'),
  ('super_admin', 'audit.review.sign');
