import type { Authorization } from "../audit/call.ts";
import { Fault } from "../errors.ts";

/** The refusal of a caller by the policies, with the decision that its record shows. */
export class NotPermitted extends Fault {
  readonly authorization: Authorization;

  constructor(authorization: Authorization, message: string, metadata: Readonly<Record<string, string>>) {
    super("NOT_PERMITTED", message, { metadata: { action: authorization.action, ...metadata } });
    this.authorization = authorization;
  }
}
