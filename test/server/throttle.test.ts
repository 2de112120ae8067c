import fc from 'fast-check';
import { ClaimThrottle } from '../../server/enrolment/admission.ts';
import { addressKey, type Bucket, refilled, TokenBuckets, waitFor } from '../../server/http/throttles.ts';

const rule = { burst: 3, refillMs: 100 };

test.each<[string, Bucket | undefined, number, number, number]>([
  ['never used', undefined, 5, 3, 0],
  ['empty', { tokens: 0, atMs: 0 }, 0, 0, 100],
  ['empty, half a refill later', { tokens: 0, atMs: 0 }, 50, 0.5, 50],
  ['empty, one refill later', { tokens: 0, atMs: 0 }, 100, 1, 0],
  ['empty, long after', { tokens: 0, atMs: 0 }, 1e9, 3, 0],
  ['full', { tokens: 3, atMs: 0 }, 1000, 3, 0],
  ['under a clock that went back', { tokens: 1, atMs: 100 }, 0, 1, 0],
])('a bucket %s', (_name, bucket, now, tokens, wait) => {
  const filled = refilled(bucket, rule, now);
  expect(filled.tokens).toBe(tokens);
  expect(waitFor(filled, rule)).toBe(wait);
});

test('[FC-26] buckets of the keys asked for last are remembered, and the others full again', () => {
  const waits = (remembered: number) => {
    const buckets = new TokenBuckets(rule, () => 0, remembered);
    for (const key of ['one', 'two', 'one', 'three']) buckets.take(key, 3);
    return ['one', 'three', 'two'].map((key) => buckets.waitFor(key, 2));
  };
  expect(waits(2)).toEqual([200, 200, 0]);
  // Control: where all are remembered each is empty.
  expect(waits(3)).toEqual([200, 200, 200]);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [undefined, 'unknown'],
])('%s is counted as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

test('any address is counted by something, and one /64 by one thing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (address) => {
      expect(addressKey(address).length).toBeGreaterThanOrEqual(Math.min(1, address.length));
    }),
  );
  const group = fc.integer({ min: 0, max: 0xffff }).map((number) => number.toString(16));
  const groups = (count: number) => fc.array(group, { minLength: count, maxLength: count });
  fc.assert(
    fc.property(groups(4), groups(4), groups(4), (net, one, other) => {
      const keys = [one, other].map((host) => addressKey([...net, ...host].join(':')));
      expect(keys[0]).toBe(keys[1]);
    }),
  );
});

describe('wrong tokens', () => {
  const rules = { perAddress: { burst: 2, refillMs: 100 }, inAll: { burst: 3, refillMs: 1000 } };
  let now = 0;
  const throttle = () => {
    now = 0;
    return new ClaimThrottle(() => now, rules);
  };

  test('of one address are throttled after its burst, and let go on at its rate', () => {
    const throttling = throttle();
    const waits = [0, 0, 0, 50, 50].map((pause) => {
      now += pause;
      return throttling.wrong('a');
    });
    expect(waits).toEqual([0, 0, 100, 50, 0]);
  });

  test('of many addresses are throttled after the burst in all [TM-09]', () => {
    const throttling = throttle();
    expect(['a', 'b', 'c', 'd'].map((address) => throttling.wrong(address))).toEqual([0, 0, 0, 1000]);
  });

  test('that are throttled take no tokens', () => {
    const throttling = throttle();
    for (let i = 0; i < 1000; i++) throttling.wrong('a');
    expect(throttling.wrong('b')).toBe(0);
    now += 100;
    expect(throttling.wrong('a')).toBe(1000 - 100);
    now += 900;
    expect(throttling.wrong('a')).toBe(0);
  });
});
