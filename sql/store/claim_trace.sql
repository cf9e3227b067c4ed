-- Claims an open trace for a run unless another holds it.
-- Grain: at most one row. Dialect: SQLite.
update traces
set claimed_by = :run_id, claim_expires_at = :expires_at
where sample_id = :sample_id
  and recipe_id = :recipe_id
  and rollout = :rollout
  and status = 'open'
  and (claimed_by is null or claim_expires_at <= :now)
returning id, sent_sha256, sent_pixels_xxh128, sent_width, sent_height
