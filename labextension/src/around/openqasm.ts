import { LanguageSupport, StreamLanguage, type StreamParser } from '@codemirror/language';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';

export const OPENQASM_MIME = 'text/x-openqasm';

const KEYWORDS =
  words(`OPENQASM barrier box break cal case const continue creg ctrl def default defcal
  defcalgrammar delay else end extern for gate if in include input inv let measure negctrl opaque output pow qreg
  reset return switch while`);
const TYPES = words(
  'angle array bit bool complex duration float int mutable qubit readonly stretch uint void'
);
const ATOMS = words('true false pi π tau τ euler ℇ im');
const BUILT_IN = words(
  'U CX gphase sin cos tan arcsin arccos arctan exp ln log sqrt mod popcount durationof sizeof'
);

interface IState {
  inComment: boolean;
}

/** OpenQASM 2 and 3, word by word. */
export const parser: StreamParser<IState> = {
  name: 'openqasm',
  startState: () => ({ inComment: false }),
  copyState: state => ({ ...state }),
  token: (stream, state) => {
    if (state.inComment || stream.match('/*')) {
      state.inComment = !stream.match(/.*?\*\//);
      if (state.inComment) {
        stream.skipToEnd();
      }
      return 'comment';
    }
    if (stream.eatSpace()) {
      return null;
    }
    if (stream.match(/\/\/.*/)) {
      return 'comment';
    }
    if (stream.match(/"[^"]*"?|'[^']*'?/)) {
      return 'string';
    }
    if (stream.match(/#?pragma\b.*|@[\p{L}_][\p{L}\p{N}_.]*.*/u)) {
      return 'meta';
    }
    if (stream.match(/0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+/)) {
      return 'number';
    }
    if (stream.match(/(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?\s?(dt|ns|us|µs|ms|s)?\b/)) {
      return 'number';
    }
    if (stream.match(/\$\d+/)) {
      return 'variableName.special';
    }
    const word = stream.match(/[\p{L}_][\p{L}\p{N}_]*/u);
    if (Array.isArray(word)) {
      return kindOf(word[0] ?? '');
    }
    const from = stream.next() ?? '';
    return '()[]{}'.includes(from) ? 'bracket' : ',;:'.includes(from) ? 'punctuation' : 'operator';
  },
  languageData: { commentTokens: { line: '//', block: { open: '/*', close: '*/' } } }
};

/** Teaches JupyterLab's editors OpenQASM, once. */
export function registerOpenQasm(languages: IEditorLanguageRegistry): void {
  if (languages.findByName('openqasm') === null) {
    languages.addLanguage({
      name: 'openqasm',
      displayName: 'OpenQASM',
      mime: OPENQASM_MIME,
      extensions: ['qasm', 'qasm2', 'qasm3'],
      support: openQasm()
    });
  }
}

/** OpenQASM for CodeMirror. */
export function openQasm(): LanguageSupport {
  return new LanguageSupport(StreamLanguage.define(parser));
}

function kindOf(word: string): string {
  if (KEYWORDS.has(word)) {
    return 'keyword';
  }
  if (ATOMS.has(word)) {
    return 'atom';
  }
  // JupyterLab's themes give type names no colour of their own.
  return TYPES.has(word) || BUILT_IN.has(word) ? 'variableName.standard' : 'variableName';
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/));
}
