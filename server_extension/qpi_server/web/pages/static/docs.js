// The lab's REST API, drawn from its own OpenAPI document, with requests to try.
const IBM = 'experimental|runtime|iam|search|catalog';
const SURFACES = [
  ['The lab', new RegExp(`^/qpi/(?!(api|tasks|${IBM})/)`)],
  ['QPI', /^\/qpi\/api\//],
  ['Circuit tasks', /^\/qpi\/tasks\//],
  ['IBM Quantum (Qiskit Runtime)', new RegExp(`^/qpi/(${IBM})/`)]
];
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const base = new URL('..', location.href).pathname.replace(/\/$/, '');

/** An element with properties and children. */
function el(tag, props = {}, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children.filter(child => child !== null));
  return made;
}

/** A schema as JSON, its references as names. */
function schemaText(schema) {
  const shown = JSON.stringify(schema, (key, value) => (key === '$ref' ? value.split('/').pop() : value), 2);
  return shown.replace(/\{\s*"\$ref": "(\w+)"\s*\}/g, '$1');
}

function schemaOf(content) {
  const [type, media] = Object.entries(content ?? {})[0] ?? [];
  return type ? { type, schema: media.schema } : null;
}

/** What a request sends and an answer has: the schema itself, not its name alone. */
function shape(title, found, components) {
  const name = found.schema?.$ref?.split('/').pop();
  const schema = name ? components[name] : found.schema;
  return el('details', {}, el('summary', {}, `${title} (${name ?? found.type})`), el('pre', {}, schemaText(schema)));
}

function field(parameter) {
  const input = el('input', { name: parameter.name, autocomplete: 'off', required: parameter.in === 'path' });
  input.dataset.in = parameter.in;
  return el('label', {}, `${parameter.name} (${parameter.in})`, input);
}

async function send(event, path, method, type) {
  event.preventDefault();
  const form = event.target;
  const inputs = [...form.querySelectorAll('input')].filter(input => input.value);
  const query = new URLSearchParams();
  const headers = {};
  let address = path;
  for (const { name, value, dataset } of inputs) {
    if (dataset.in === 'path') {
      address = address.replace(`{${name}}`, encodeURIComponent(value));
    } else if (dataset.in === 'query') {
      query.append(name, value);
    } else {
      headers[name] = value;
    }
  }
  const token = document.getElementById('token').value.trim();
  if (token) {
    headers.Authorization = `Bearer ${token}`;
  }
  const body = form.querySelector('textarea')?.value;
  if (body) {
    headers['Content-Type'] = type;
  }
  const output = form.querySelector('output');
  output.replaceChildren('Sending …');
  try {
    const search = query.size ? `?${query}` : '';
    const answer = await fetch(`${base}${address}${search}`, { method: method.toUpperCase(), headers, body: body || undefined });
    const text = await answer.text();
    let shown = text;
    try {
      shown = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // not JSON: as it is
    }
    output.replaceChildren(el('p', {}, `${answer.status} ${answer.statusText}`), el('pre', {}, shown));
  } catch (error) {
    output.replaceChildren(`No answer: ${error.message}`);
  }
}

function filled(path, method, operation, components) {
  const sent = schemaOf(operation.requestBody?.content);
  const form = el(
    'form',
    {},
    ...operation.parameters.map(field),
    sent ? el('label', {}, `Body (${sent.type})`, el('textarea', { rows: 5, spellcheck: false })) : null,
    el('button', {}, 'Send'),
    el('output')
  );
  form.addEventListener('submit', event => void send(event, path, method, sent?.type));
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const got = schemaOf(answer.content);
    const title = `${status} ${answer.description}`;
    return got ? shape(title, got, components) : el('p', {}, title);
  });
  const open = operation.security.length === 0;
  return [
    el('p', {}, open ? 'Open to everybody, with a budget of requests.' : `Permission: ${operation['x-permission']}`),
    sent ? shape('Body', sent, components) : null,
    form,
    ...answers
  ].filter(part => part !== null);
}

function drawn(path, method, operation, components) {
  const line = el('summary', {}, el('code', {}, `${method.toUpperCase()} ${path}`), ` ${operation.summary}`);
  const made = el('details', { className: 'operation' }, line);
  made.addEventListener('toggle', () => {
    if (made.open && made.children.length === 1) {
      made.append(...filled(path, method, operation, components));
    }
  });
  return made;
}

async function draw() {
  const place = document.getElementById('operations');
  const answer = await fetch('docs.json');
  if (!answer.ok) {
    place.replaceChildren(`The description cannot be read (${answer.status}). Reload the page to sign in.`);
    return;
  }
  const { paths, components } = await answer.json();
  const sections = SURFACES.map(([title]) => el('section', {}, el('h2', {}, title)));
  for (const [path, operations] of Object.entries(paths)) {
    const section = sections[SURFACES.findIndex(([, pattern]) => pattern.test(path))];
    for (const method of METHODS.filter(known => known in operations)) {
      section.append(drawn(path, method, operations[method], components.schemas));
    }
  }
  const filled = sections.filter(section => section.children.length > 1);
  const none = el('p', { hidden: true }, 'No matching addresses.');
  place.replaceChildren(...filled, none);
  document.getElementById('filter').addEventListener('input', event => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const operation of document.querySelectorAll('.operation')) {
      operation.hidden = !operation.firstChild.textContent.toLowerCase().includes(wanted);
    }
    for (const section of filled) {
      section.hidden = section.querySelector('.operation:not([hidden])') === null;
    }
    none.hidden = filled.some(section => !section.hidden);
  });
}

void draw();
