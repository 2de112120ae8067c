import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { parse } from 'yaml';

/** A test, as docs/evidence/en-303-645.yaml names it: its file, and words of its full title (describes and all). */
const NamedTest = v.strictObject({
  file: v.pipe(v.string(), v.regex(/^test\/[\w/-]+\.test\.ts$/)),
  title: v.pipe(v.string(), v.minLength(4)),
});

const text = v.pipe(v.string(), v.trim(), v.minLength(10));

/**
 * One provision of ETSI EN 303 645: it applies and tests prove it, or it says what is not met yet (both where tests
 * prove a part), or it does not apply. `reason` says why it applies or not, in terms of what Oriel is.
 */
const Provision = v.pipe(
  v.strictObject({
    id: v.pipe(v.string(), v.regex(/^[56](\.\d{1,2})?-\d{1,2}[AB]?$/)),
    level: v.picklist(['mandatory', 'recommended']),
    demands: text,
    applies: v.boolean(),
    reason: text,
    provenBy: v.optional(v.pipe(v.array(NamedTest), v.minLength(1))),
    notMet: v.optional(text),
  }),
  v.check(
    ({ applies, provenBy, notMet }) =>
      applies ? (provenBy ?? notMet) !== undefined : (provenBy ?? notMet) === undefined,
    'what applies names a test or says why it is not met; what does not apply gives its reason alone',
  ),
);

const Provisions = v.strictObject({
  standard: v.literal('ETSI EN 303 645 V3.1.3'),
  provisions: v.array(Provision),
});

export type Provision = v.InferOutput<typeof Provision>;

/** @throws ValiError, or the YAML parser's, for anything but the form above. */
export function parseProvisions(source: string): Provision[] {
  return v.parse(Provisions, parse(source)).provisions;
}

export function readProvisions(path: string): Provision[] {
  return parseProvisions(readFileSync(path, 'utf8'));
}

/** Of what `jest --json` reports: which tests ran, and how they ended. */
export interface RanFile {
  /** Absolute path. */
  readonly name: string;
  readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
}

/**
 * The tests that provisions name and that did not pass in a run: they were not run, failed, or do not exist.
 * @param expected which files the run was to hold.
 */
export function unproven(
  provisions: readonly Provision[],
  ran: readonly RanFile[],
  expected: (file: string) => boolean,
): string[] {
  return provisions.flatMap(({ id, provenBy = [] }) =>
    provenBy
      .filter(({ file }) => expected(file))
      .filter(({ file, title }) => {
        const named = ran
          .filter(({ name }) => name.endsWith(`/${file}`))
          .flatMap(({ assertionResults }) => assertionResults)
          .filter(({ fullName }) => fullName.includes(title));
        return named.length === 0 || named.some(({ status }) => status !== 'passed');
      })
      .map(({ file, title }) => `${id} names a test that did not run and pass: ${file} (${title})`),
  );
}
