import { isRunning, runningProgram } from './camera/running-commands.ts';
import { runProgram } from './program.ts';

const program = isRunning(process.argv.slice(2))
  ? runningProgram()
  : (await import('./oriel.ts')).orielCommand();
await runProgram(program);
