// Where the simulation's command line says things.

/** What was asked for. */
export const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** What is said on the way, where the answer must stand alone. */
export const printAside = (text: string): void => void process.stderr.write(`${text}\n`);

/** Where to say what is not the answer. */
export const asideOf = (isJson: boolean) => (isJson ? printAside : print);
