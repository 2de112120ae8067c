import { CAUSES } from '../../agent/capture/errors.ts';
import { captureRemedy, causeRemedy } from '../../agent/health/capture-remedy.ts';
import { orielCommand } from '../../cli/oriel.ts';
import { commandsNamedIn, faultOf } from '../repository/named-commands.ts';

const program = orielCommand();

test.each(CAUSES)(
  '[FC-75] the way out of %s is one of its own, and names commands that are there',
  (cause) => {
    const way = captureRemedy('unprobed', './cam', cause);
    expect(way).toBe(causeRemedy(cause, './cam'));
    expect(way).not.toBe(captureRemedy('unprobed', './cam'));
    expect(commandsNamedIn(way).map((line) => faultOf(program, line))).not.toContainEqual(expect.any(String));
    // A person can act on it at the source, or with a command that is whole.
    expect(way).toMatch(/tries again by itself|oriel camera source \.\/cam --source|start this camera again/);
  },
);

test('a redirect has its own way out, whatever else was said', () => {
  expect(captureRemedy('redirected', './cam', 'connection-lost')).toBe(captureRemedy('redirected', './cam'));
});
