import type { PreviewIn, ProgramIn, SubmitRequest } from '../wire';

/** What was chosen in the dialog. */
export interface IChoice {
  /** Empty: whichever simulator fits. */
  readonly qpu: string;
  readonly shots: number;
}

/** Which OpenQASM a program says that it is in; 3 where it does not say. */
export function formatOf(source: string): ProgramIn['format'] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  return /^\s*OPENQASM\s+2\b/.test(code) ? 'openqasm2' : 'openqasm3';
}

/** The body of `POST qpus/NAME/preview` for a file. */
export function previewed(source: string, choice: IChoice): PreviewIn {
  return {
    program: { format: formatOf(source), sources: [source] },
    options: { shots: choice.shots }
  };
}

/** The body of `POST jobs` for a file. */
export function submission(path: string, source: string, choice: IChoice): SubmitRequest {
  const file = path.split('/').pop() ?? path;
  return {
    ...previewed(source, choice),
    qpu: choice.qpu || null,
    name: file.replace(/\.qasm$/i, '').slice(0, 200)
  };
}
