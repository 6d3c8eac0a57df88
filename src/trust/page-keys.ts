/**
 * The forms of GUNs, team ids and tags as keys of pages. A page token is no secret, so anybody can make one: what does not have the form
 * never reaches the database.
 */
export const gunKey = /^[a-z0-9.:_/-]{1,255}$/;
export const teamKey = /^[a-z0-9_-]{1,64}$/;
export const tagKey = /^[^\p{Cc}\p{Zl}\p{Zp}]{1,255}$/u;
