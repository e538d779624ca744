/** Larger circuits are not drawn. */
const MOST_WIRES = 24;
const MOST_STEPS = 240;

/** One operation in a drawing. */
export interface IStep {
  readonly column: number;
  /** The wires it acts on, controls first. */
  readonly wires: readonly number[];
  readonly controls: number;
  /** What stands in its box; its parameters are in `text`. */
  readonly label: string;
  readonly text: string;
}

export interface IDrawing {
  readonly wires: readonly string[];
  readonly steps: readonly IStep[];
  readonly columns: number;
}

type Registers = Map<string, readonly number[]>;

/** Comments, and what gates are made of: neither is drawn. */
const SILENT = /\/\*[\s\S]*?\*\/|\/\/.*|\bgate\s[^{};]*\{[^{}]*\}/g;

/** A plain OpenQASM program as a drawing; null where it is large or has loops or branches. */
export function drawing(source: string): IDrawing | null {
  const text = source.replace(SILENT, ' ');
  if (/[{}]/.test(text)) {
    return null;
  }
  const wires: string[] = [];
  const registers: Registers = new Map();
  const steps: Omit<IStep, 'column'>[] = [];
  physical(text, wires, registers);
  for (const statement of text.split(';').map(part => part.trim().replace(/\s+/g, ' '))) {
    const found = declared(statement, wires, registers) ? [] : operations(statement, registers);
    if (found === null || steps.length + found.length > MOST_STEPS || wires.length > MOST_WIRES) {
      return null;
    }
    steps.push(...found);
  }
  return wires.length === 0 ? null : { wires, ...placed(steps, wires.length) };
}

/** The qubits of a device, `$0`, which nobody declares: by their numbers. */
function physical(text: string, wires: string[], registers: Registers): void {
  const numbers = [...new Set(Array.from(text.matchAll(/\$(\d+)/g), found => Number(found[1])))];
  for (const number of numbers.sort((a, b) => a - b)) {
    registers.set(`$${number}`, [wires.length]);
    wires.push(`$${number}`);
  }
}

/** Whether a statement declares something; its qubits are added. */
function declared(statement: string, wires: string[], registers: Registers): boolean {
  if (statement === '' || /^(OPENQASM|include|input|creg|bit(\[\d+\])?( \w+)?$)/.test(statement)) {
    return true;
  }
  const match = /^qubit(?:\[(\d+)\])? (\w+)$/.exec(statement);
  const older = /^qreg (\w+)\[(\d+)\]$/.exec(statement);
  const name = match?.[2] ?? older?.[1];
  if (name === undefined) {
    return false;
  }
  const size = Number(match ? (match[1] ?? 1) : older?.[2]);
  const first = wires.length;
  const alone = match !== null && match[1] === undefined;
  const indices = Array.from({ length: Math.min(size, MOST_WIRES + 1) }, (_, n) => first + n);
  wires.push(...indices.map((_, n) => (alone ? name : `${name}[${n}]`)));
  registers.set(name, indices);
  return true;
}

/** What a statement does, one operation for each qubit of a register; null if it is not understood. */
function operations(statement: string, registers: Registers): Omit<IStep, 'column'>[] | null {
  const measured =
    /^measure ([^-]+?)( ?-> ?.+)?$/.exec(statement) ?? /^[^=]+= ?measure (.+)$/.exec(statement);
  const gate =
    /^((?:(?:inv|ctrl) @ )*)(\w+) ?(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))? ([\w$[\], ]+)$/.exec(
      statement
    );
  const delay = /^delay ?\[[^\]]+\] (.+)$/.exec(statement);
  const [modifiers, name] = measured
    ? ['', 'M']
    : delay
      ? ['', 'delay']
      : [gate?.[1] ?? '', gate?.[2] ?? ''];
  const operands = (measured?.[1] ?? delay?.[1] ?? gate?.[4] ?? '')
    .split(',')
    .map(part => part.trim());
  const targets = operands.map(operand => wiresOf(operand, registers));
  if (!name || targets.some(target => target.length === 0)) {
    return null;
  }
  const known = /^(c+)(x|y|z|h|p|rx|ry|rz|u|u1|u3|swap|sx)$/.exec(name);
  const controls = (known?.[1]?.length ?? 0) + (modifiers.match(/ctrl/g)?.length ?? 0);
  const inverse = modifiers.includes('inv') ? '†' : '';
  const label = `${known?.[2] ?? name}${inverse}`;
  const one = (wires: number[]) => ({ wires, controls, label, text: statement });
  if (name === 'barrier') {
    return [one(targets.flat())];
  }
  const rows = Math.max(...targets.map(target => target.length));
  if (targets.some(target => target.length !== rows && target.length !== 1)) {
    return null;
  }
  return Array.from({ length: rows }, (_, row) =>
    one(targets.map(target => target[target.length === 1 ? 0 : row] ?? 0))
  );
}

function wiresOf(operand: string, registers: Registers): readonly number[] {
  const match = /^(\$?\w+)(?:\[(\d+)\])?$/.exec(operand);
  const all = registers.get(match?.[1] ?? '') ?? [];
  return match?.[2] === undefined ? all : all.slice(Number(match[2]), Number(match[2]) + 1);
}

/** Each operation as far to the left as those before it let it. */
export function placed(
  found: readonly Omit<IStep, 'column'>[],
  wires: number
): { steps: IStep[]; columns: number } {
  const depth = new Array<number>(wires).fill(0);
  const steps = found.map(step => {
    const [top, bottom] = [Math.min(...step.wires), Math.max(...step.wires)];
    const column = Math.max(...depth.slice(top, bottom + 1));
    depth.fill(column + 1, top, bottom + 1);
    return { ...step, column };
  });
  return { steps, columns: Math.max(...depth) };
}
