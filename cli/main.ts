import { orielCommand } from './oriel.ts';
import { runProgram } from './program.ts';

await runProgram(orielCommand());
