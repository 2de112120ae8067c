import { createHash } from 'node:crypto';

/** Who may see what the network camera films, and how it asks for that. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
  readonly scheme: 'basic' | 'md5' | 'sha256';
}

const REALM = 'camera';
const NONCE = 'nonce0';

/** @param text `user:password`, decoded. */
export function credentialsOf(text: string, scheme: Credentials['scheme']): Credentials {
  const colon = text.indexOf(':');
  return { user: text.slice(0, colon), password: text.slice(colon + 1), scheme };
}

/** What the camera asks with 401. */
export function challenge({ scheme }: Credentials): string {
  if (scheme === 'basic') return `WWW-Authenticate: Basic realm="${REALM}"`;
  const algorithm = scheme === 'sha256' ? ', algorithm="SHA-256"' : '';
  return `WWW-Authenticate: Digest realm="${REALM}", nonce="${NONCE}"${algorithm}`;
}

/** Whether a request carries these credentials (RFC 7617; RFC 7616 without qop). */
export function carries({ user, password, scheme }: Credentials, method: string, request: string): boolean {
  const [, given = ''] = /^Authorization: (.*?)\r?$/im.exec(request) ?? [];
  if (scheme === 'basic') return given === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const fields = new Map(
    [...given.matchAll(/(\w+)="?([^",\r]*)"?/g)].map(([, name, value]) => [name, value]),
  );
  const hash = (text: string) =>
    createHash(scheme === 'sha256' ? 'sha256' : 'md5')
      .update(text)
      .digest('hex');
  const [secret, asked] = [`${user}:${REALM}:${password}`, `${method}:${fields.get('uri')}`];
  return (
    fields.get('username') === user &&
    fields.get('response') === hash(`${hash(secret)}:${NONCE}:${hash(asked)}`)
  );
}
