/** Logs numbered lines to its stderr by the build in argv[2], tells how it went over IPC, and goes on until it is disconnected. */
const [, , root = '', lines = '0'] = process.argv;
const { openLogger } = await import(`${root}/cli/log.ts`);
const log = openLogger({ level: 'info', base: null }, 2);
for (let number = 0; number < Number(lines); number++) log.info({ number, padding: 'x'.repeat(100) }, 'line');
process.send?.('done');
process.on('message', () => {
  log.info({ number: Number(lines) }, 'line');
  process.send?.('again');
});
