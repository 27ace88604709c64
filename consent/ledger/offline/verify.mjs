#!/usr/bin/env node
/**
 * Checks a receipt of the consent ledger, or the ledger of an audit pack, without the hub that made it.
 * No dependencies: Node 20 or newer, or any browser with Ed25519 in WebCrypto (verify.html holds this very code).
 *
 *   node verify.mjs receipt.tlog-proof [--key <verifier key>]
 *   node verify.mjs <folder of the pack> [--key <verifier key>]
 *
 * Without --key the keys inside the pack are used, and their fingerprints are printed: compare them with the
 * printed minutes or with what the organization publishes. Exit codes: 0 ok, 1 error, 2 verification failed.
 *
 * Formats: RFC 6962 (tree), RFC 8785 (canonical JSON), c2sp.org/signed-note, tlog-checkpoint and tlog-proof.
 */

// ------------------------------------------------------------------ bytes

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined
const nodeCrypto = inNode ? await import('node:crypto') : undefined

const concat = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const same = (a, b) => a.length === b.length && a.every((byte, n) => byte === b[n])

/** Standard base64 with padding, nothing looser; undefined otherwise. */
function fromBase64(text) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) || text === '') return undefined
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  return toBase64(bytes) === text ? bytes : undefined
}
function toBase64(bytes) {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** In Node at once, in a browser as a promise. */
const sha256 = nodeCrypto
  ? (bytes) => new Uint8Array(nodeCrypto.createHash('sha256').update(bytes).digest())
  : async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))

const leafHash = (bytes) => sha256(concat([0], bytes))
const nodeHash = (left, right) => sha256(concat([1], left, right))

/** Something is wrong with what was handed in. `code` is stable. */
export class Failed extends Error {
  constructor(code, message) {
    super(message)
    this.name = 'Failed'
    this.code = code
  }
}
const fail = (code, message) => {
  throw new Failed(code, message)
}

// ------------------------------------------------------------------ canonical JSON

/** RFC 8785. Throws MALFORMED for half a surrogate pair, which has no bytes. */
export function canonical(value) {
  if (typeof value === 'string' && !value.isWellFormed()) fail('MALFORMED', 'a string holds half a surrogate pair')
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${canonical(name)}:${canonical(value[name])}`).join(',')}}`
}

/** One JSON value whose text is its own canonical form: so no name stands twice and nothing can be read two ways. */
function parseCanonical(text, what) {
  let value
  try {
    value = JSON.parse(text)
  } catch {
    fail('MALFORMED', `${what} is not JSON`)
  }
  if (canonical(value) !== text) fail('MALFORMED', `${what} is not canonical JSON (RFC 8785)`)
  return value
}

// ------------------------------------------------------------------ trees

/** Grows by leaves or by whole subtrees; O(log n) memory. */
function createTree() {
  const peaks = []
  let size = 0
  return {
    get size() {
      return size
    },
    async add(hash, level = 0) {
      if (size % 2 ** level !== 0) fail('MALFORMED', `a subtree of 2^${level} cannot begin at entry ${size}`)
      size += 2 ** level
      let node = { level, hash }
      while (peaks.at(-1)?.level === node.level)
        node = { level: node.level + 1, hash: await nodeHash(peaks.pop().hash, node.hash) }
      peaks.push(node)
    },
    async root() {
      if (peaks.length === 0) return sha256(new Uint8Array())
      let right = peaks.at(-1).hash
      for (const { hash } of peaks.slice(0, -1).reverse()) right = await nodeHash(hash, right)
      return right
    },
  }
}

async function rootOf(leaves) {
  const tree = createTree()
  for (const leaf of leaves) await tree.add(leaf)
  return tree.root()
}

/** RFC 9162 §2.1.3.2. */
export async function verifyInclusion(index, size, leaf, proof, root) {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size || leaf.length !== 32)
    return false
  let [node, last, hash] = [index, size - 1, leaf]
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== 32) return false
    if (node % 2 === 1 || node === last) {
      hash = await nodeHash(sibling, hash)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else hash = await nodeHash(hash, sibling)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && same(hash, root)
}

/** RFC 9162 §2.1.4.2. */
export async function verifyConsistency(first, second, proof, firstRoot, secondRoot) {
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second) || first <= 0 || first > second) return false
  if (first === second) return proof.length === 0 && same(firstRoot, secondRoot)
  if (proof.length === 0 || proof.some(({ length }) => length !== 32)) return false
  const path = Number.isInteger(Math.log2(first)) ? [firstRoot, ...proof] : proof
  let [node, last] = [first - 1, second - 1]
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  let [old, grown] = [path[0], path[0]]
  for (const sibling of path.slice(1)) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      old = await nodeHash(sibling, old)
      grown = await nodeHash(sibling, grown)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else grown = await nodeHash(grown, sibling)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && same(old, firstRoot) && same(grown, secondRoot)
}

// ------------------------------------------------------------------ notes

async function verifySignature(publicKey, message, signature) {
  const { subtle } = nodeCrypto ? nodeCrypto.webcrypto : crypto
  let key
  try {
    key = await subtle.importKey('raw', publicKey, { name: 'Ed25519' }, false, ['verify'])
  } catch {
    fail('UNSUPPORTED', 'this browser cannot check Ed25519 signatures: use a newer one, or node verify.mjs')
  }
  return subtle.verify({ name: 'Ed25519' }, key, signature, message)
}

/** `name+hash+base64` -> {name, id, publicKey, fingerprint}. */
export async function readVerifierKey(text) {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text.trim()) ?? []
  const bytes = encoded && fromBase64(encoded)
  if (bytes?.length !== 33 || bytes[0] !== 1) fail('MALFORMED', 'a verifier key is name+hash+base64 of an Ed25519 key')
  const hash = await sha256(concat(encoder.encode(`${name}\n`), bytes))
  if (hex(hash.slice(0, 4)) !== id) fail('MALFORMED', 'the verifier key does not fit its own hash')
  const publicKey = bytes.slice(1)
  return { name, id, publicKey, fingerprint: hex(await sha256(publicKey)) }
}

/** @returns {origin, size, root, signedBy}. Throws CHECKPOINT_SIGNATURE. */
export async function openCheckpoint(note, keys) {
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n')) fail('MALFORMED', 'a checkpoint is a text, an empty line and signatures')
  const text = note.slice(0, end + 1)
  const signedBy = []
  for (const line of note.slice(end + 2, -1).split('\n')) {
    const [, name, encoded] = /^\u2014 (\S+) (\S+)$/u.exec(line) ?? []
    const bytes = encoded && fromBase64(encoded)
    if (!bytes || bytes.length < 5) fail('MALFORMED', 'a line of the signatures is not one')
    const key = keys.find((known) => known.name === name && known.id === hex(bytes.slice(0, 4)))
    if (!key || signedBy.includes(key)) continue
    if (bytes.length !== 68 || !(await verifySignature(key.publicKey, encoder.encode(text), bytes.slice(4))))
      fail('CHECKPOINT_SIGNATURE', `the signature of ${name} does not fit the checkpoint`)
    signedBy.push(key)
  }
  if (signedBy.length === 0) fail('CHECKPOINT_SIGNATURE', 'none of the keys signed this checkpoint')
  const [origin, size, encoded] = text.split('\n')
  const root = encoded && fromBase64(encoded)
  if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size ?? '') || root?.length !== 32)
    fail('MALFORMED', 'a checkpoint is origin, size and root, a line each')
  return { origin, size: Number(size), root, signedBy }
}

// ------------------------------------------------------------------ receipts

const commitmentOf = async (salt, payload) =>
  hex(await sha256(concat(encoder.encode('lgpd-commit-v1'), salt, encoder.encode(payload))))

/** @returns what a receipt shows. Throws MALFORMED, CHECKPOINT_SIGNATURE, SEQ, NOT_INCLUDED, COMMITMENT. */
export async function verifyReceipt(text, keys) {
  const end = text.indexOf('\n\n')
  const [header, extraLine = '', indexLine = '', ...hashes] = text.slice(0, Math.max(0, end)).split('\n')
  if (header !== 'c2sp.org/tlog-proof@v1') fail('MALFORMED', 'this is no c2sp.org/tlog-proof@v1 file')
  const extra = extraLine.startsWith('extra ') ? fromBase64(extraLine.slice(6)) : undefined
  const [, index] = /^index (0|[1-9]\d{0,15})$/.exec(indexLine) ?? []
  const proof = hashes.map(fromBase64)
  if (!extra || index === undefined || proof.some((hash) => hash?.length !== 32))
    fail('MALFORMED', 'a line of the receipt does not hold what it should')
  const { entry, payload, salt } = parseCanonical(decoder.decode(extra), 'the receipt') ?? {}
  if (entry === null || typeof entry !== 'object') fail('MALFORMED', 'the receipt holds no entry')
  const checkpoint = await openCheckpoint(text.slice(end + 2), keys)
  if (entry.seq !== Number(index))
    fail('SEQ', `the entry says it is number ${entry.seq}, the proof is of number ${index}`)
  const leaf = await leafHash(encoder.encode(canonical(entry)))
  if (!(await verifyInclusion(Number(index), checkpoint.size, leaf, proof, checkpoint.root)))
    fail('NOT_INCLUDED', 'the entry is not in the tree that the checkpoint signs')
  if (salt !== undefined) {
    const bytes = fromBase64(salt)
    if (!bytes || (await commitmentOf(bytes, canonical(payload))) !== entry.commit)
      fail('COMMITMENT', 'payload and salt are not those that the entry commits to')
  }
  return { entry, payload, checkpoint, holdsPayload: salt !== undefined }
}

// ------------------------------------------------------------------ the state tree

const bitOf = (key, bit) => (key[bit >> 3] >> (7 - (bit & 7))) & 1

/** `last`, `absent`, or undefined when the proof is wrong. */
export async function checkState({ subject, head, steps }, root) {
  if (head === null) return steps.length === 0 && same(await sha256(new Uint8Array()), root) ? 'absent' : undefined
  const [key, found] = [await sha256(encoder.encode(subject)), await sha256(encoder.encode(head.subject))]
  let hash = await leafHash(encoder.encode(canonical(head)))
  let deeper = 256
  for (const { bit, hash: encoded } of [...steps].reverse()) {
    const side = fromBase64(encoded)
    if (!(bit >= 0 && bit < deeper) || bitOf(key, bit) !== bitOf(found, bit) || side?.length !== 32) return undefined
    deeper = bit
    hash = await sha256(bitOf(key, bit) === 0 ? concat([1, bit], hash, side) : concat([1, bit], side, hash))
  }
  if (!same(hash, root)) return undefined
  return head.subject === subject ? 'last' : 'absent'
}

// ------------------------------------------------------------------ audit packs

async function* linesOf(files, name) {
  const text = await files.read(name)
  if (text === undefined) return
  for (const line of text.split('\n')) if (line !== '') yield line
}

/**
 * The ledger of an audit pack.
 * @param files {read(name): Promise<string|undefined>}
 * @param keys verifier keys from outside; without them those of the pack.
 * @returns {ok, findings: [{code, what}], …counts}
 */
export async function verifyPack(files, keys) {
  const findings = []
  const note = (code, what) => findings.push({ code, what })
  const manifest = JSON.parse(
    (await files.read('ledger.json')) ?? fail('MALFORMED', 'ledger.json is missing: this is no audit pack'),
  )
  const given = keys ?? (await Promise.all(manifest.keys.map(({ verifier }) => readVerifierKey(verifier))))
  const signed = (await files.read('checkpoint.txt')) ?? fail('MALFORMED', 'checkpoint.txt is missing')
  const checkpoint = await openCheckpoint(signed, given)
  if (checkpoint.origin !== manifest.origin) note('CHECKPOINT_SIGNATURE', 'the checkpoint is of another ledger')

  const tree = createTree()
  const chains = new Map()
  const entries = new Map()
  const byType = new Map()
  let time = ''
  for await (const line of linesOf(files, 'ledger.ndjson')) {
    if (line.startsWith('[')) {
      // Entries outside the scope of the pack: only the hash of a whole subtree is given.
      const [level, encoded] = JSON.parse(line)
      const hash = fromBase64(encoded)
      if (!Number.isInteger(level) || level < 0 || hash?.length !== 32)
        fail('MALFORMED', `line about entry ${tree.size}`)
      await tree.add(hash, level)
      continue
    }
    const seq = tree.size
    const leaf = await leafHash(encoder.encode(line))
    await tree.add(leaf)
    let entry
    try {
      entry = parseCanonical(line, `entry ${seq}`)
    } catch (error) {
      note('ENTRY_ALTERED', error.message)
      continue
    }
    if (entry.seq !== seq) note('ENTRY_REORDERED', `entry ${entry.seq} stands at ${seq}`)
    const before = chains.get(entry.subject)
    const starts =
      before === undefined && (entry.subject_seq === 0 ? entry.prev_subject_leaf === null : manifest.from !== null)
    const follows = before && entry.subject_seq === before.subject_seq + 1 && entry.prev_subject_leaf === before.leaf
    if (!starts && !follows) note('CHAIN_BROKEN', `${entry.id} of ${entry.subject}`)
    if (entry.logged_at < time) note('TIME_WENT_BACK', entry.id)
    time = entry.logged_at
    chains.set(entry.subject, { subject_seq: entry.subject_seq, leaf: hex(leaf), seq })
    entries.set(entry.id, entry)
    byType.set(entry.type, [...(byType.get(entry.type) ?? []), entry])
  }
  if (tree.size < checkpoint.size) note('LEDGER_SHORTENED', `${tree.size} of ${checkpoint.size} entries`)
  else if (tree.size > checkpoint.size) note('ENTRY_INSERTED', `${tree.size} entries instead of ${checkpoint.size}`)
  else if (!same(await tree.root(), checkpoint.root))
    note('LEDGER_FORKED', 'the entries are not those that the checkpoint signs')

  let checkpoints = 1
  for await (const line of linesOf(files, 'checkpoints.ndjson')) {
    const { note: older, consistency } = JSON.parse(line)
    checkpoints += 1
    try {
      const { size, root, origin } = await openCheckpoint(older, given)
      const proof = consistency.map(fromBase64)
      if (origin !== manifest.origin || !(await verifyConsistency(size, checkpoint.size, proof, root, checkpoint.root)))
        note('LEDGER_FORKED', `the checkpoint of ${size} entries does not begin the ledger`)
    } catch (error) {
      note(error.code ?? 'MALFORMED', `an older checkpoint: ${error.message}`)
    }
  }

  const subjects = await checkSubjects(files, entries, chains, note)
  const payloads = await checkPayloads(files, entries, note)
  const deliveries = await checkDeliveries(files, byType.get('deliveries.root') ?? [], entries, note)
  return {
    ok: findings.length === 0,
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: toBase64(checkpoint.root),
    signedBy: checkpoint.signedBy.map(({ name, id, fingerprint }) => ({ name, id, fingerprint })),
    keysFrom: keys ? 'outside' : 'pack',
    disclosed: entries.size,
    checkpoints,
    subjects,
    payloads,
    deliveries,
    findings,
  }
}

/** The last word of each subject asked for, or that there is none. */
async function checkSubjects(files, entries, chains, note) {
  const shown = []
  for await (const line of linesOf(files, 'subjects.ndjson')) {
    const proof = JSON.parse(line)
    const root = entries.get(proof.rootEntry.id)
    const says = root?.type === 'state.root' ? await checkState(proof, fromHex(root.root)) : undefined
    if (says === undefined || root.size !== proof.rootEntry.size) {
      note('STATE_PROOF_WRONG', proof.subject)
      continue
    }
    // Nothing that the root knew of this subject may be missing from the pack.
    const chain = chains.get(proof.subject)
    if (says === 'last' && (chain === undefined || chain.seq < proof.head.last_seq))
      note('ENTRY_MISSING', `an entry of ${proof.subject}`)
    shown.push({
      subject: proof.subject,
      says,
      asOf: root.logged_at,
      entries: root.size,
      state: says === 'last' ? proof.head.state : null,
    })
  }
  return shown
}

async function checkPayloads(files, entries, note) {
  const seen = { fit: 0, destroyed: 0 }
  for await (const line of linesOf(files, 'payloads.ndjson')) {
    const { id, payload, salt, destroyedBy } = JSON.parse(line)
    const entry = entries.get(id)
    if (destroyedBy !== undefined) {
      const act = entries.get(destroyedBy)
      if (act?.type === 'key.destroyed' && entry?.key_ids?.some((key) => act.key_ids.includes(key))) seen.destroyed += 1
      else note('PAYLOAD_MISSING', id)
      continue
    }
    const bytes = fromBase64(salt ?? '')
    if (entry && bytes && (await commitmentOf(bytes, canonical(payload))) === entry.commit) seen.fit += 1
    else note('PAYLOAD_ALTERED', id)
  }
  return seen
}

/** Each root against its records; of those outside the scope only the hash is given. */
async function checkDeliveries(files, roots, entries, note) {
  const leaves = new Map()
  let disclosed = 0
  for await (const line of linesOf(files, 'deliveries.ndjson')) {
    const { entry, n, leaf, record } = JSON.parse(line)
    const own = leaves.get(entry) ?? []
    leaves.set(entry, own)
    own[n] = record ? await leafHash(encoder.encode(canonical(record))) : fromBase64(leaf)
    if (!record) continue
    disclosed += 1
  }
  for (const root of roots) {
    const own = leaves.get(root.id)
    if (
      own === undefined ||
      own.length !== root.count ||
      own.includes(undefined) ||
      !same(await rootOf(own), fromHex(root.root))
    )
      note('DELIVERIES_ROOT_WRONG', root.id)
  }
  for (const id of leaves.keys()) if (!entries.has(id)) note('DELIVERIES_ROOT_WRONG', id)
  return { roots: roots.length, disclosed }
}

// ------------------------------------------------------------------ from the command line

if (inNode && process.argv[1] !== undefined) {
  const { realpathSync } = await import('node:fs')
  const { fileURLToPath } = await import('node:url')
  if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
    process.exitCode = await main(process.argv.slice(2))
}

async function main(args) {
  const { readFile, stat } = await import('node:fs/promises')
  const { join, dirname } = await import('node:path')
  const at = args.indexOf('--key')
  const json = args.includes('--json')
  const place = args.find((arg, n) => !arg.startsWith('--') && n !== at + (at >= 0 ? 1 : -args.length))
  const say = (text) => process.stdout.write(`${text}\n`)
  try {
    if (place === undefined) fail('USAGE', 'node verify.mjs <receipt or folder> [--key <verifier key>] [--json]')
    const keys = at >= 0 ? [await readVerifierKey(args[at + 1] ?? '')] : undefined
    const folder = (await stat(place)).isDirectory()
    const read = (dir) => async (name) => {
      try {
        return await readFile(join(dir, name), 'utf8')
      } catch (error) {
        if (error.code === 'ENOENT') return undefined
        throw error
      }
    }
    const packKeys = async (dir) => {
      const text = await read(dir)('ledger.json')
      if (text === undefined)
        fail('USAGE', 'give the key of the ledger: --key <verifier key>, as printed in the minutes')
      return Promise.all(JSON.parse(text).keys.map(({ verifier }) => readVerifierKey(verifier)))
    }
    const shown = folder
      ? await verifyPack({ read: read(place) }, keys)
      : await verifyReceipt(await readFile(place, 'utf8'), keys ?? (await packKeys(dirname(place))))
    if (json) say(JSON.stringify(shown, (_, value) => (value instanceof Uint8Array ? toBase64(value) : value)))
    else for (const line of folder ? describePack(shown) : describeReceipt(shown)) say(line)
    return folder && !shown.ok ? 2 : 0
  } catch (error) {
    const code = error instanceof Failed ? error.code : 'FAILED'
    if (json) say(JSON.stringify({ ok: false, error: { code, message: error.message } }))
    else process.stderr.write(`${code}: ${error.message}\n`)
    return error instanceof Failed && code !== 'USAGE' && code !== 'UNSUPPORTED' ? 2 : 1
  }
}

/** What was found, for a person, a line each. Portuguese first: whom this is for. */
export function describeReceipt({ entry, checkpoint, holdsPayload, payload }) {
  return [
    'OK: o recibo confere / the receipt verifies',
    `registro / entry: ${entry.id} (${entry.seq + 1} de/of ${checkpoint.size}), ${entry.type}, ${entry.ts}`,
    `titular / subject: ${entry.subject}`,
    ...(entry.purpose ? [`finalidade / purpose: ${entry.purpose} = ${entry.status} (${entry.basis})`] : []),
    holdsPayload ? `conteúdo confere / payload fits: ${JSON.stringify(payload)}` : 'sem conteúdo / without payload',
    ...checkpoint.signedBy.map(
      ({ name, fingerprint }) => `assinado por / signed by: ${name}\n  SHA-256 ${fingerprint}`,
    ),
  ]
}

export function describePack(shown) {
  return [
    shown.ok ? 'OK: o livro confere / the ledger verifies' : 'FALHOU: o livro não confere / the ledger does not verify',
    ...shown.findings.map(({ code, what }) => `  ${code}: ${what}`),
    `${shown.origin}: ${shown.size} registros / entries, ${shown.disclosed} à mostra / disclosed, ${shown.checkpoints} checkpoints`,
    `conteúdos / payloads: ${shown.payloads.fit} conferem / fit, ${shown.payloads.destroyed} destruídos / destroyed`,
    `entregas / deliveries: ${shown.deliveries.disclosed} à mostra / disclosed, ${shown.deliveries.roots} raízes / roots`,
    ...shown.subjects.map(({ subject, says, asOf, state }) =>
      says === 'absent'
        ? `${subject}: nenhum registro até / no entry until ${asOf}`
        : `${subject}: última palavra em / last word as of ${asOf}: ${JSON.stringify(state)}`,
    ),
    ...shown.signedBy.map(({ name, fingerprint }) => `assinado por / signed by: ${name}\n  SHA-256 ${fingerprint}`),
    ...(shown.keysFrom === 'pack'
      ? [
          'A chave veio do próprio pacote: compare a impressão digital com a ata impressa. / The key came with the pack: compare its fingerprint with the printed minutes.',
        ]
      : []),
  ]
}
