/** The page of `anuente dev`: what stands in the three panes goes to the tester and comes back as what happened. */

const token = location.hash.slice(1)
const $ = (id) => document.getElementById(id)

async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { 'x-anuente-dev': token, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.error?.message ?? `HTTP ${response.status}`)
  return answer
}

/** @returns an element; children that are text are text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'class') element.className = value
    else if (name in element && name !== 'list') element[name] = value
    else element.setAttribute(name, value)
  }
  element.append(...children.filter((child) => child !== undefined))
  return element
}
const json = (value) => JSON.stringify(value, null, 2)
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value

let connector
/** Canonical, of the newest run: what an example is made of. */
let lastEvent
let lastRequests
let kept
/** What the chosen example says is sent. */
let expected
/** Fields a chosen example or delivery sets. */
let withFields = {}

// ---------------------------------------------------------------- the panes

function fillEvent(event, profile) {
  $('event').value = json(event)
  $('profile').value = profile ? json(profile) : ''
}

async function showStarts() {
  const groups = [
    ['Standard events', connector.events.map(({ title, event }) => ({ title, event }))],
    [
      'Saved examples',
      connector.examples.map((example) => ({ title: `${example.action}: ${example.title}`, example })),
    ],
  ]
  if (connector.failures) {
    const { items } = await call('GET', '/api/failures')
    groups.push([
      'Failed deliveries, redacted',
      items.map(({ id, action, reason, at }) => ({
        title: `${action} · ${reason} · ${new Date(at).toISOString().slice(0, 16).replace('T', ' ')}`,
        delivery: id,
      })),
    ])
  }
  const starts = []
  $('from').replaceChildren(
    ...groups
      .filter(([, items]) => items.length > 0)
      .map(([label, items]) =>
        make(
          'optgroup',
          { label },
          ...items.map((item) => make('option', { value: starts.push(item) - 1 }, item.title)),
        ),
      ),
  )
  $('from').onchange = async () => {
    const start = starts[$('from').value]
    expected = undefined
    withFields = {}
    if (start.event) fillEvent(start.event)
    else if (start.example) {
      fillEvent(start.example.given, start.example.profile)
      expected = { lookups: start.example.lookups, sends: start.example.sends }
      withFields = start.example.with ?? {}
      chooseAction(start.example.action)
    } else {
      const found = await call('POST', '/api/failures', { id: start.delivery })
      fillEvent(found.event, found.profile)
      withFields = found.with ?? {}
      chooseAction(found.action)
    }
    await run()
  }
}

function chooseAction(name) {
  $('action').value = name ?? ''
  showAction()
}

function showAction() {
  const action = connector.actions.find(({ name }) => name === $('action').value)
  $('action-about').textContent = action
    ? `${action.title}. Purpose ${action.purpose}; needs ${action.identifier.join(' or ') || 'no identifier'}; ${typeof action.idempotency === 'string' ? action.idempotency : 'key'} idempotency.`
    : 'Every action that follows this event by itself.'
  $('mapping').replaceChildren(make('legend', {}, 'Fields of the payload'))
  if (!action) {
    $('mapping').append(make('p', { class: 'quiet' }, 'Choose an action to see and set its fields.'))
    return
  }
  for (const [name, schema] of Object.entries(action.payload.properties ?? {})) {
    const required = (action.payload.required ?? []).includes(name)
    const from = schema.from === undefined ? '' : [].concat(schema.from).join(', else ')
    const value = withFields[name]
    $('mapping').append(
      make(
        'label',
        {},
        `${name}${required ? ' *' : ''}`,
        make('input', {
          value: value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value),
          placeholder: from ? `from ${from}` : 'set by the rule',
          'data-field': name,
          autocomplete: 'off',
        }),
        schema.description ? make('span', { class: 'hint' }, schema.description) : undefined,
      ),
    )
  }
}

function showSettings() {
  const start = connector.sandbox ?? {}
  for (const [name, schema] of Object.entries(connector.settings.properties ?? {})) {
    const required = (connector.settings.required ?? []).includes(name)
    const value = start[name] ?? schema.default
    const options = schema.enum ?? schema.anyOf?.filter((one) => 'const' in one).map((one) => one.const)
    const field =
      schema.type === 'boolean'
        ? make('input', { type: 'checkbox', checked: value === true })
        : options?.length > 0
          ? make(
              'select',
              {},
              ...['', ...options].map((one) => make('option', { value: one, selected: one === value }, one)),
            )
          : make('input', {
              type: schema.secret ? 'password' : 'text',
              value: value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value),
              placeholder: schema.type === 'string' ? '' : 'JSON',
              autocomplete: 'off',
            })
    field.dataset.setting = name
    field.dataset.type = schema.type ?? 'json'
    $('settings').append(
      make(
        'label',
        {},
        `${name}${required ? ' *' : ''}`,
        field,
        schema.description ? make('span', { class: 'hint' }, schema.description) : undefined,
      ),
    )
  }
}

/** Text as it is, anything else as JSON; text that is no JSON stays text, and the schema says what is wrong with it. */
function read(text, type) {
  if (type === 'string') return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function settings() {
  const found = {}
  for (const field of document.querySelectorAll('[data-setting]')) {
    if (field.type === 'checkbox') found[field.dataset.setting] = field.checked
    else if (field.value !== '') found[field.dataset.setting] = read(field.value, field.dataset.type)
  }
  return found
}

/** Without secrets: they are never saved. */
function openSettings() {
  const all = settings()
  for (const [name, schema] of Object.entries(connector.settings.properties ?? {})) if (schema.secret) delete all[name]
  return all
}

function fields() {
  const action = connector.actions.find(({ name }) => name === $('action').value)
  const found = {}
  for (const field of document.querySelectorAll('[data-field]'))
    if (field.value !== '')
      found[field.dataset.field] = read(field.value, action.payload.properties[field.dataset.field].type)
  return found
}

function parsed(id, name) {
  const text = $(id).value.trim()
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${name} is no JSON: ${error.message}`)
  }
}

// ---------------------------------------------------------------- running

async function run() {
  const result = $('result')
  try {
    const action = $('action').value
    const consent = chosen('consent')
    const purpose = connector.actions.find(({ name }) => name === action)?.purpose
    const set = fields()
    const profile = parsed('profile', 'the profile')
    const answer = await call('POST', '/api/try', {
      carrier: chosen('carrier'),
      case: {
        ...(action && { action }),
        settings: settings(),
        event: parsed('event', 'the event') ?? {},
        ...(profile && { profile }),
        ...(Object.keys(set).length > 0 && { with: set }),
        ...(consent === 'granted' && { consent }),
        ...(consent === 'denied' && purpose && { consent: { [purpose]: 'denied' } }),
      },
    })
    lastEvent = answer.event
    if (answer.error) {
      result.replaceChildren(
        make('p', { class: 'bad' }, `${answer.error.code}: ${answer.error.message} ${answer.error.path}`),
      )
      return
    }
    lastRequests = answer.trials.flatMap(({ exchanges }) => exchanges.map(({ request }) => request))
    result.replaceChildren(
      ...(answer.trials.length === 0
        ? [make('p', { class: 'quiet' }, 'No action follows this event by itself. Choose one.')]
        : answer.trials.flatMap(showTrial)),
      ...showDiff('Against the example', expected && expectedRequests(), lastRequests.map(below)),
      ...showDiff('Against what was kept', kept, lastRequests),
    )
  } catch (error) {
    result.replaceChildren(make('p', { class: 'bad' }, error.message))
  }
}

function showTrial(trial) {
  const { action, purpose, consent, halt, payload, exchanges, outcome } = trial
  const parts = [make('h3', {}, action)]
  if (consent)
    parts.push(
      make(
        'p',
        {},
        make(
          'span',
          { class: consent.permitted ? 'good' : 'bad' },
          consent.permitted ? 'May be sent' : 'May not be sent',
        ),
        ` for ${purpose}: ${consent.status}${consent.reasons.length > 0 ? ` (${consent.reasons.join(', ')})` : ''}`,
      ),
    )
  if (halt) parts.push(make('p', { class: 'bad' }, `Stopped: ${halt.code} ${halt.path ?? ''} ${halt.message ?? ''}`))
  if (payload) parts.push(make('h3', {}, 'Payload'), make('pre', {}, json(payload)))
  for (const { request, response } of exchanges) {
    const { method, url, headers, body } = request
    parts.push(
      make('h3', {}, 'Request'),
      make(
        'pre',
        {},
        `${method} ${url}\n${Object.entries(headers)
          .map(([name, value]) => `${name}: ${value}`)
          .join('\n')}${body === undefined ? '' : `\n\n${typeof body === 'string' ? body : json(body)}`}`,
      ),
    )
    if (response && chosen('carrier') !== 'none')
      parts.push(
        make('h3', {}, 'Response'),
        make('pre', {}, `HTTP ${response.status}\n\n${response.body === undefined ? '' : json(response.body)}`),
      )
  }
  if (outcome && exchanges.length > 0 && chosen('carrier') !== 'none')
    parts.push(
      make(
        'p',
        {},
        'Outcome: ',
        make('span', { class: outcome.status === 'delivered' ? 'good' : 'bad' }, outcome.status),
        ` ${outcome.reason ?? ''}`,
      ),
    )
  return parts
}

const below = ({ method, url, body }) => ({ method, path: url, body })
const expectedRequests = () => [expected.sends]

/** Line by line: what is gone, what is new. An example knows paths below the base address and no headers. */
function showDiff(title, before, after) {
  if (!before || !after) return []
  const forExample = title.includes('example')
  const left = json(before).split('\n')
  const right = json(
    forExample
      ? after.slice(-1).map(({ method, path, body }) => ({
          method,
          path: path.endsWith(before[0].path) ? before[0].path : path,
          body,
        }))
      : after,
  ).split('\n')
  if (left.join('\n') === right.join('\n'))
    return [make('h3', {}, title), make('p', { class: 'good' }, 'No difference.')]
  const lines = difference(left, right)
  return [
    make('h3', {}, title),
    make(
      'pre',
      {},
      ...lines.map(([kind, line]) =>
        make('span', { class: kind }, `${kind === 'add' ? '+ ' : kind === 'del' ? '- ' : '  '}${line}\n`),
      ),
    ),
  ]
}

/** Longest common subsequence: requests are short. */
function difference(left, right) {
  const length = Array.from({ length: left.length + 1 }, () => new Array(right.length + 1).fill(0))
  for (let i = left.length - 1; i >= 0; i--)
    for (let j = right.length - 1; j >= 0; j--)
      length[i][j] = left[i] === right[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1])
  const lines = []
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push(['same', left[i++]])
      j++
    } else if (j >= right.length || (i < left.length && length[i + 1][j] >= length[i][j + 1]))
      lines.push(['del', left[i++]])
    else lines.push(['add', right[j++]])
  }
  return lines
}

// ---------------------------------------------------------------- start

async function load() {
  connector = await call('GET', '/api/connector')
  document.title = `${connector.name} · Anuente dev`
  $('title').textContent = `${connector.name} (${connector.id})`
  $('about').replaceChildren(make('a', { href: connector.docs, rel: 'noreferrer', target: '_blank' }, connector.docs))
  $('action').replaceChildren(
    make('option', { value: '' }, 'by itself'),
    ...connector.actions.map(({ name, title }) => make('option', { value: name }, `${name}: ${title}`)),
  )
  if (!connector.sandbox) document.querySelector('input[value=sandbox]').disabled = true
  showSettings()
  showAction()
  await showStarts()
  fillEvent(connector.events[0].event)
  $('action').onchange = () => {
    withFields = {}
    showAction()
    void run()
  }
  $('run').onclick = () => void run()
  $('keep').onclick = () => {
    kept = lastRequests
    void run()
  }
  $('save').onsubmit = async (submitted) => {
    submitted.preventDefault()
    const action = $('action').value
    try {
      if (!action) throw new Error('Choose one action first.')
      await run()
      if (!lastEvent) throw new Error('There is no event yet.')
      const set = fields()
      const profile = parsed('profile', 'the profile')
      await call('POST', '/api/examples', {
        title: $('save-title').value.trim(),
        action,
        given: lastEvent,
        ...(profile && { profile }),
        ...(Object.keys(set).length > 0 && { with: set }),
        settings: openSettings(),
      })
      $('saved').textContent = 'Saved to examples.json. The contract suite runs it from now on.'
      connector = await call('GET', '/api/connector')
      await showStarts()
    } catch (error) {
      $('saved').textContent = error.message
    }
  }
  await run()
}

load().catch((error) => {
  $('result').replaceChildren(make('p', { class: 'bad' }, error.message))
})
