import type { PossessionChallenge } from "../../gen/imagetrust/v1/team.ts";
import { quoted } from "./member-setup-text.ts";
import { timeText } from "./words.ts";

/** What is to be done with a challenge, as a shell takes it. */
export function challengeText(
  challenge: PossessionChallenge,
  { member, source, out }: { readonly member: string; readonly source: string; readonly out: string },
): string {
  const signature = `${out}.sig`;
  const from = source.startsWith("--bundle ") ? `--bundle ${quoted(source.slice(9))}` : quoted(source);
  return `# Key ${challenge.canonicalKeyId} of member ${member}; good until ${timeText(challenge.expireTime)}.
# Where the private key is (RSA and ECDSA alike):
openssl dgst -sha256 -sign key.pem -out ${quoted(signature)} ${quoted(out)}
# Then here:
imagetrust certificate prove ${quoted(member)} ${from} --challenge ${challenge.id} --signature ${quoted(signature)}
`;
}
