/** How a caller wants a change made; on every mutation. Zero values mean "not asked". */
export interface ChangeOptions {
  /** Per caller and method, kept 7 days: the same change is answered again, another request is refused. */
  readonly requestId: string;
  /** Plan and check everything, keep nothing but the record of the question. */
  readonly validateOnly: boolean;
  readonly reason: string;
  /** The etag of the thing changed, from an earlier read; ETAG_MISMATCH if it is no longer current. */
  readonly etag: string;
  readonly noWait: boolean;
  readonly acceptOrphaned: boolean;
  readonly acceptRevived: boolean;
  readonly acceptWithoutSigner: boolean;
  /** From an earlier validateOnly; PLAN_CHANGED if the plan would differ. */
  readonly planEtag: string;
}
