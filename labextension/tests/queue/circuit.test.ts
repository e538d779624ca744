import { describe, expect, it } from 'vitest';

import { drawing } from '../../src/queue/circuit';

describe('a circuit', () => {
  it('is drawn with every operation as far left as it can be', () => {
    const found = drawing(`OPENQASM 3.0; include "stdgates.inc"; // a comment; h q[1];
      qubit[3] q; bit[3] c;
      h q[0]; cx q[0], q[1]; rx(pi/2) q[2]; ctrl @ x q[1], q[2];
      c = measure q;`);
    expect(found?.wires).toEqual(['q[0]', 'q[1]', 'q[2]']);
    expect(
      found?.steps.map(({ column, wires, controls, label }) => [column, wires, controls, label])
    ).toEqual([
      [0, [0], 0, 'h'],
      [1, [0, 1], 1, 'x'],
      [0, [2], 0, 'rx'],
      [2, [1, 2], 1, 'x'],
      [2, [0], 0, 'M'],
      [3, [1], 0, 'M'],
      [3, [2], 0, 'M']
    ]);
    expect(found?.columns).toBe(4);
  });

  it('of OpenQASM 2 is drawn as well', () => {
    const found = drawing(
      'OPENQASM 2.0; qreg a[1]; qreg b[1]; creg c[2]; x a; swap a[0], b[0]; barrier a, b; measure b[0] -> c[0];'
    );
    expect(found?.steps.map(step => [step.wires, step.label])).toEqual([
      [[0], 'x'],
      [[0, 1], 'swap'],
      [[0, 1], 'barrier'],
      [[1], 'M']
    ]);
  });

  it('is drawn as Qiskit writes it: with parameters, gates of its own and brackets in brackets', () => {
    const found = drawing(`OPENQASM 3.0; include "stdgates.inc"; input float[64] theta;
      gate rzx_4(_gate_p_0) _gate_q_0, _gate_q_1 { h _gate_q_1; cx _gate_q_0, _gate_q_1; }
      bit[2] meas; qubit[2] q;
      rz((theta + pi)/2) q[0]; rzx_4(cos(2*(theta))) q[0], q[1]; barrier q[0], q[1];
      meas[0] = measure q[0]; meas[1] = measure q[1];`);
    expect(found?.steps.map(step => [step.wires, step.label])).toEqual([
      [[0], 'rz'],
      [[0, 1], 'rzx_4'],
      [[0, 1], 'barrier'],
      [[0], 'M'],
      [[1], 'M']
    ]);
  });

  it.each([
    ['a branch', 'qubit q; bit c; if (c) { x q; }'],
    ['a wire that is not there', 'qubit q; x r;'],
    ['too many wires', 'qubit[500] q; h q;'],
    ['too many steps', `qubit q; ${'x q;'.repeat(500)}`],
    ['something else', 'qubit q; let a = q;'],
    ['nothing', '']
  ])('is not drawn with %s', (_, source) => {
    expect(drawing(source)).toBeNull();
  });
});
