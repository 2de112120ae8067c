import { type Lease, Leases } from '../../server/upload/leases.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('the newest request wins; the ones between never hold the segment', async () => {
  const leases = new Leases();
  const first = await leases.take('a');
  const second = leases.take('a');
  const third = leases.take('a');
  let held: Lease | undefined;
  void third.then((lease) => {
    held = lease;
  });
  expect(first.signal.reason).toMatchObject({ code: 'UPLOAD_SUPERSEDED' });
  await settled();
  expect(held).toBeUndefined();
  first.release();
  await expect(second).rejects.toMatchObject({ code: 'UPLOAD_SUPERSEDED' });
  expect((await third).signal.aborted).toBe(false);
});

test('another segment is not concerned', async () => {
  const leases = new Leases();
  const one = await leases.take('a');
  const other = await leases.take('b');
  expect([one.signal.aborted, other.signal.aborted]).toEqual([false, false]);
});

test('a segment let go of is free', async () => {
  const leases = new Leases();
  (await leases.take('a')).release();
  expect((await leases.take('a')).signal.aborted).toBe(false);
});

test('the end waits for every holder and lets nobody in', async () => {
  const leases = new Leases();
  const reason = new Error('over');
  const held = await leases.take('a');
  const waiting = leases.take('a');
  let over = false;
  const end = leases.endAll(reason).then(() => {
    over = true;
  });
  await expect(leases.take('b')).rejects.toBe(reason);
  expect(held.signal.aborted).toBe(true);
  await settled();
  expect(over).toBe(false);
  held.release();
  await expect(waiting).rejects.toBeInstanceOf(Error);
  await end;
});
