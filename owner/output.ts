/** Where an owner is told what is done. Lines are without their end. */
export interface Output {
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
}
