import { isIP } from 'node:net';
import { ServerError } from '../errors.ts';

/** What `oriel server run --updates` names. */
export type UpdatesSource =
  | { readonly kind: 'directory'; readonly directory: string }
  /** The maker's repository on a web server; the address ends with a slash. */
  | { readonly kind: 'web'; readonly base: URL };

/** Everything that begins like an address is one: nobody means a directory called `https:`. */
const ADDRESS = /^([A-Za-z][A-Za-z0-9+.-]*:\/\/|https?:)/i;

/** @throws ServerError UPDATES_ADDRESS_REFUSED. */
export function parseUpdatesSource(text: string): UpdatesSource {
  if (!ADDRESS.test(text)) return { kind: 'directory', directory: text };
  if (!/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) {
    throw refused('this is no address; give one like https://updates.example.org/oriel, or a directory');
  }
  const base = new URL(text);
  if (base.username !== '' || base.password !== '' || base.search !== '' || base.hash !== '') {
    throw refused('an address of updates has no user, password, query or fragment');
  }
  if (base.protocol === 'http:' && !isLoopback(base.hostname)) {
    throw refused(`http:// is for this machine alone; give https://${base.host}${base.pathname}`);
  }
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return { kind: 'web', base };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** The address is not quoted: it may hold a password. */
const refused = (why: string) => new ServerError('UPDATES_ADDRESS_REFUSED', `--updates: ${why}`);
