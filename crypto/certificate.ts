import { equal } from './bytes.ts';
import { contentOf, type Element, elements, objectIdentifier, only, TAG } from './der.ts';
import { CryptoError } from './errors.ts';
import { utcMs } from './time.ts';

/**
 * A certificate (RFC 5280 section 4.1) read strictly, as far as node:crypto is lenient or keeps it to itself: version 3
 * and nothing but it, dates that are dates, no extension twice, no byte behind its end. The checks of names, keys and
 * signatures are OpenSSL's (chain-node.ts).
 */
export interface CertificateFields {
  /** First and last moment of its validity, ms since 1970: never NaN. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo, DER, as it stands there. */
  readonly spki: Uint8Array;
  readonly extensions: readonly CertificateExtension[];
}

export interface CertificateExtension {
  /** Object identifier, dotted. */
  readonly id: string;
  readonly critical: boolean;
  /** basicConstraints: how many CAs may follow below; undefined without limit. */
  readonly pathLength?: number;
  /** keyUsage: whether the key may sign. */
  readonly digitalSignature?: boolean;
}

const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';
/** TBSCertificate's explicit tags: version, extensions. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
/** INTEGER 2: version 3. */
const VERSION_3 = Uint8Array.of(TAG.integer, 1, 2);
type Six = [number, number, number, number, number, number];

/**
 * Reads one whole certificate, DER.
 * @throws CryptoError DOCUMENT_MALFORMED for bytes that are none, of another version, with a date that is no date, with
 * an extension twice, or followed by anything.
 */
export function readCertificate(der: Uint8Array): CertificateFields {
  try {
    return readFields(der);
  } catch (cause) {
    throw new CryptoError('DOCUMENT_MALFORMED', `certificate: ${(cause as Error).message}`, cause);
  }
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING } */
function readFields(der: Uint8Array): CertificateFields {
  const [body, algorithm, signature, ...more] = only(der, TAG.sequence);
  contentOf(signature, TAG.bitString);
  if (more.length > 0) throw new RangeError('it has more parts than body, algorithm and signature');
  const [version, , innerAlgorithm, , validity, , spki, extensions, ...rest] = elements(
    contentOf(body, TAG.sequence),
  );
  if (!equal(contentOf(version, VERSION), VERSION_3)) throw new RangeError('it is not of version 3');
  contentOf(algorithm, TAG.sequence);
  contentOf(spki, TAG.sequence);
  if (!equal(wholeOf(algorithm), wholeOf(innerAlgorithm))) {
    throw new RangeError('it names two signature algorithms');
  }
  // Unique identifiers, which nobody writes (section 4.1.2.8), would stand before the extensions.
  if (rest.length > 0) throw new RangeError('something follows its extensions');
  return { ...readValidity(validity), spki: wholeOf(spki), extensions: readExtensions(extensions) };
}

const wholeOf = (element: Element | undefined) => element?.whole ?? new Uint8Array();

function readValidity(element: Element | undefined): Pick<CertificateFields, 'notBeforeMs' | 'notAfterMs'> {
  const [from, to, ...more] = elements(contentOf(element, TAG.sequence));
  if (more.length > 0) throw new RangeError('its validity has more than two dates');
  return { notBeforeMs: readTime(from), notAfterMs: readTime(to) };
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const MAX_TIME_LENGTH = 15;

/** Section 4.1.2.5: in UTC, with seconds and without fractions; two digits are a year of 1950 to 2049. */
function readTime(element: Element | undefined): number {
  const long = element?.tag === TAG.generalizedTime;
  const content = contentOf(element, long ? TAG.generalizedTime : TAG.utcTime);
  const text = String.fromCharCode(...content.subarray(0, MAX_TIME_LENGTH + 1));
  const parts = (long ? GENERALIZED_TIME : UTC_TIME).exec(text) ?? [];
  const [digits, month, day, hour, minute, second] = parts.slice(1).map(Number) as Six;
  const year = long ? digits : digits + (digits < 50 ? 2000 : 1900);
  const ms = utcMs(year, month, day, hour, minute, second);
  if (ms === undefined) throw new RangeError('a date of its validity is no date');
  return ms;
}

/** [3] Extensions, a SEQUENCE OF Extension with none twice (section 4.2). */
function readExtensions(element: Element | undefined): CertificateExtension[] {
  if (element === undefined) return [];
  const extensions = only(contentOf(element, EXTENSIONS), TAG.sequence).map(readExtension);
  const ids = new Set(extensions.map(({ id }) => id));
  if (ids.size !== extensions.length) throw new RangeError('an extension stands there twice');
  return extensions;
}

/** Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
function readExtension(element: Element): CertificateExtension {
  const parts = elements(contentOf(element, TAG.sequence));
  if (parts.length > 3) throw new RangeError('an extension has too many parts');
  const id = objectIdentifier(contentOf(parts[0], TAG.objectIdentifier));
  const critical = parts.length === 3 && readBoolean(contentOf(parts[1], TAG.boolean));
  const value = contentOf(parts.at(-1), TAG.octetString);
  const extension = { id, critical };
  if (id === BASIC_CONSTRAINTS) return { ...extension, ...readPathLength(value) };
  if (id === KEY_USAGE) return { ...extension, digitalSignature: readDigitalSignature(value) };
  return extension;
}

/** TRUE is 0xff in DER; FALSE, which DER leaves out, is found in real certificates. */
function readBoolean(content: Uint8Array): boolean {
  const [value] = content;
  if (content.length !== 1 || (value !== 0 && value !== 0xff)) throw new RangeError('DER: no BOOLEAN');
  return value === 0xff;
}

function readPathLength(value: Uint8Array): { pathLength?: number } {
  const limit = only(value, TAG.sequence).find(({ tag }) => tag === TAG.integer);
  if (!limit) return {};
  const [length = 0x80] = limit.content;
  if (limit.content.length !== 1 || length >= 0x80) {
    throw new RangeError('basicConstraints: path length out of range');
  }
  return { pathLength: length };
}

function readDigitalSignature(value: Uint8Array): boolean {
  const [bits] = elements(value);
  return ((contentOf(bits, TAG.bitString)[1] ?? 0) & 0x80) !== 0;
}
