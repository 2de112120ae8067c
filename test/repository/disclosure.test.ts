import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(resolve(root, path), 'utf8');
const DAY_MS = 86_400_000;

/** Fields of a security.txt, in lower case, and what is wrong with it by RFC 9116, section 2.5. */
function judge(text: string, nowMs: number): string[] {
  const fields = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => /^([\w-]+): (\S.*)$/.exec(line))
    .map((match) => [match?.[1]?.toLowerCase() ?? 'malformed', match?.[2] ?? ''] as const);
  const all = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value);
  const expires = Date.parse(all('expires')[0] ?? '');
  const faults: [boolean, string][] = [
    [all('malformed').length > 0, 'a line is no field'],
    [all('contact').length === 0, 'no contact'],
    [all('contact').some((uri) => !/^(mailto:|https:\/\/|tel:)/.test(uri)), 'a contact is no URI'],
    [all('expires').length !== 1, 'not one Expires'],
    [!(expires > nowMs), 'expired'],
    [expires > nowMs + 366 * DAY_MS, 'expires later than in a year'],
  ];
  return faults.filter(([wrong]) => wrong).map(([, fault]) => fault);
}

test('security.txt is one by RFC 9116 and has not expired', () => {
  expect(judge(read('.well-known/security.txt'), Date.now())).toEqual([]);
});

test.each([
  ['Expires: 2027-01-01T00:00:00Z', ['no contact']],
  ['Contact: somebody\nExpires: 2027-01-01T00:00:00Z', ['a contact is no URI']],
  ['Contact: tel:+1-201-555-0123', ['not one Expires', 'expired']],
  ['Contact: tel:+1-201-555-0123\nExpires: 2026-01-01T00:00:00Z', ['expired']],
  ['Contact: tel:+1-201-555-0123\nExpires: 2036-01-01T00:00:00Z', ['expires later than in a year']],
  ['Contact: tel:+1-201-555-0123\nExpires: 2027-01-01T00:00:00Z\nwrite to us', ['a line is no field']],
])('control: %j is found wanting', (text, faults) => {
  expect(judge(text, Date.parse('2026-11-21T00:00:00Z'))).toEqual(faults);
});

test('SECURITY.md states how to report and within which time what happens', () => {
  const policy = read('SECURITY.md');
  expect(policy).toMatch(/Report a vulnerability/);
  for (const promise of [
    /answers \| 3 working days/,
    /reproduce it.*\| 10 days/,
    /\| 30 days/,
    /\| 90 days/,
  ]) {
    expect(policy).toMatch(promise);
  }
});

test.each([
  'cross-site scripting',
  'request forgery',
  'SQL injection',
  'authentication and authorisation',
  'sharing model',
  'remote code execution',
  'data exposure',
  'alert spoofing',
])('SECURITY.md has %s in its scope', (fault) => {
  expect(read('SECURITY.md').replace(/\s+/g, ' ')).toContain(fault);
});
