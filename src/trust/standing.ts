/** What a turn at a collection begins with. */
export interface Standing {
  readonly hasOpenUpload: boolean;
  readonly hasRejectedUpload: boolean;
  /** Its back-off is not over, by the clock that set it. */
  readonly isWaiting: boolean;
  /** When the newest timestamp seen ends; null before the first. */
  readonly timestampEndsAt: Date | null;
}

/** SQL conditions on a collection `c`, for those who read its row. */
export const standingColumns = `exists (select from uploads u where u.collection_id = c.id and u.state in ('PREPARED', 'READY', 'SENT'))
    as "hasOpenUpload",
  exists (select from uploads u where u.collection_id = c.id and u.incarnation = c.incarnation and u.state = 'REJECTED')
    as "hasRejectedUpload",
  c.next_attempt_at > clock_timestamp() as "isWaiting",
  (select s.expires_at from seen_files s
   where s.collection_id = c.id and s.incarnation = c.incarnation and s.role = 'timestamp') as "timestampEndsAt"`;
