/** Who may import whom: the arrows of docs/architecture.md, walked over every file. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['schemas', 'consent', 'core', 'connectors', 'cli', 'cockpit', 'demo', 'bench', 'test', 'build', 'bin']

const paths = FOLDERS.filter((folder) => existsSync(root + folder))
  .flatMap((folder) =>
    readdirSync(root + folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => posix.relative(root, posix.join(entry.parentPath, entry.name))),
  )
  .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path))
const sources = paths.filter((path) => /\.(ts|tsx|js)$/.test(path))

interface Arrow {
  readonly from: string
  /** A path of this repository, or the name of a package. */
  readonly to: string
  readonly inside: boolean
}

/** Static, dynamic and type imports, re-exports, and files a worker or child is started from. */
function arrowsOf(from: string, text: string): Arrow[] {
  const imported = ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName)
  const started = [...text.matchAll(/new URL\(\s*['"]([^'"]+\.(?:ts|tsx|js))['"]\s*,\s*import\.meta\.url/g)].map(
    (match) => match[1]!,
  )
  return [...new Set([...imported, ...started])].map((name) => {
    const inside = name.startsWith('.')
    const to = inside ? posix.normalize(posix.join(posix.dirname(from), name)) : name.replace(/^node:/, '')
    return { from, to, inside }
  })
}

// This file's own forbidden examples are no imports.
const read = sources.filter((path) => path !== 'core/architecture.test.ts')
const texts = new Map(read.map((path) => [path, readFileSync(root + path, 'utf8')]))
const arrows = [...texts].flatMap(([path, text]) => arrowsOf(path, text))

const isTest = (path: string) => /\.(test|long)\.tsx?$/.test(path)
const under = (path: string, ...folders: string[]) =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`))

/** The folder an arrow's end counts as: core/kit and core/testing are rooms of their own, and so is each connector. */
function roomOf(path: string): string {
  if (path === 'connectors/index.ts') return path
  const [top = '', second = ''] = path.split('/')
  if (top === 'connectors') return `connectors/${second}`
  if (top === 'core' && (second === 'kit' || second === 'testing')) return `core/${second}`
  return top
}

/** Rooms a file may import from, besides its own. */
function allowedRooms(from: string): readonly string[] {
  const room = roomOf(from)
  if (room === 'schemas') return []
  if (room === 'consent') return isTest(from) ? ['schemas', 'core/testing'] : ['schemas']
  if (room === 'core/kit') return isTest(from) ? ['schemas', 'core/testing'] : ['schemas']
  if (room === 'core')
    return isTest(from) ? ['schemas', 'consent', 'core/kit', 'core/testing'] : ['schemas', 'consent', 'core/kit']
  if (room === 'core/testing') return ['schemas', 'consent', 'core', 'core/kit']
  if (room === 'connectors/index.ts') return ['core/kit']
  if (room.startsWith('connectors/')) {
    return isTest(from) || basename(from) === 'examples.ts'
      ? ['schemas', 'core/kit', 'core/testing']
      : ['schemas', 'core/kit']
  }
  // The test of the command starts it as people do.
  if (room === 'cli' && isTest(from))
    return ['schemas', 'consent', 'core', 'core/kit', 'core/testing', 'connectors/index.ts', 'demo', 'bin']
  if (room === 'cli') return ['schemas', 'consent', 'core', 'core/kit', 'core/testing', 'connectors/index.ts', 'demo']
  if (room === 'bin') return ['cli']
  if (room === 'build') return ['schemas', 'core/kit', 'connectors/index.ts']
  if (room === 'cockpit') return ['schemas']
  const everything = [
    'schemas',
    'consent',
    'core',
    'core/kit',
    'core/testing',
    'connectors/index.ts',
    'cli',
    'demo',
    'bench',
    'test',
    'build',
    'bin',
  ]
  // What the browser computes is held against what the hub computes.
  return room === 'test' ? [...everything, 'cockpit'] : everything
}

function forbidden({ from, to, inside }: Arrow): boolean {
  if (!inside) return false
  const target = roomOf(to)
  if (target === roomOf(from)) return false
  // A sandbox also runs in the demo: it may take the frame of sandboxes, and nothing that needs the test runner.
  if (to === 'core/testing/sandbox.ts' && basename(from) === 'sandbox.ts') return false
  // The generated list names every connector; demo, bench and test may look at one directly.
  if (roomOf(from) === 'connectors/index.ts' || under(from, 'demo', 'bench', 'test')) {
    if (target.startsWith('connectors/')) return false
  }
  return !allowedRooms(from).includes(target)
}

const show = (found: readonly Arrow[]) => found.map(({ from, to }) => `${from} -> ${to}`)

describe('import arrows', () => {
  test('schemas ◄ consent ◄ core ◄ connectors ◄ cli, and no arrow besides', () => {
    expect(sources.length).toBeGreaterThan(15)
    expect(show(arrows.filter(forbidden))).toEqual([])
  })

  test.each([
    ['schemas/event.ts', "import type { X } from '../core/kit/define.ts'"],
    ['consent/gate.ts', "import { open } from '../core/stores/open.ts'"],
    ['core/pipeline.ts', "const { registry } = await import('../connectors/index.ts')"],
    ['core/hub.ts', "type Source = import('../connectors/segment/source.ts').Source"],
    ['core/hub.ts', "new Worker(new URL('../connectors/segment/source.ts', import.meta.url))"],
    ['core/kit/http.ts', "export * from '../stores/open.ts'"],
    ['connectors/meta/destination.ts', "import { hash } from '../segment/source.ts'"],
    ['connectors/meta/destination.ts', "import { ask } from '../../consent/gate.ts'"],
    ['connectors/meta/destination.ts', "import { contract } from '../../core/testing/contract.ts'"],
    ['cockpit/src/main.tsx', "import { hub } from '../../core/hub.ts'"],
    ['cli/serve.ts', "import source from '../connectors/segment/source.ts'"],
  ])('%s may not say %s', (path, line) => {
    expect(arrowsOf(path, line).filter(forbidden)).toHaveLength(1)
  })

  test('the cockpit takes types alone from schemas', () => {
    const takesValues = (path: string, text: string) =>
      ts.createSourceFile(path, text, ts.ScriptTarget.Latest).statements.some((statement) => {
        const typeOnly =
          (ts.isImportDeclaration(statement) && statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) ||
          (ts.isExportDeclaration(statement) && statement.isTypeOnly)
        const from =
          'moduleSpecifier' in statement ? (statement.moduleSpecifier as ts.StringLiteral | undefined)?.text : ''
        return !typeOnly && /^[./]+\/schemas\//.test(from ?? '')
      })
    expect(takesValues('a.ts', "import type { Me } from '../../schemas/admin.ts'")).toBe(false)
    expect(
      takesValues('a.ts', "import { useState } from 'react'\nimport { EXITS } from '../../schemas/exits.ts'"),
    ).toBe(true)
    const values = [...texts].filter(
      ([path, text]) => under(path, 'cockpit') && !isTest(path) && takesValues(path, text),
    )
    expect(values.map(([path]) => path)).toEqual([])
  })
})

describe('doors to the outside', () => {
  const users = (packages: RegExp, rooms: readonly string[]) =>
    show(
      arrows.filter(
        ({ from, to, inside }) =>
          !inside &&
          packages.test(to) &&
          !isTest(from) &&
          !under(from, 'core/testing', 'demo', 'bench', 'test', 'build', ...rooms),
      ),
    )

  test('vendors are reached through core/kit/http.ts alone', () => {
    expect(users(/^(axios|undici)(\/|$)/, ['core/kit/http.ts', 'core/kit/transport.ts'])).toEqual([])
  })

  test('mail leaves through core/kit/smtp.ts alone', () => {
    expect(users(/^nodemailer$/, ['core/kit/smtp.ts'])).toEqual([])
  })

  test('databases are opened under core/stores and core/log alone', () => {
    expect(users(/^(better-sqlite3|pg)$/, ['core/stores', 'core/log'])).toEqual([])
  })

  test("a vendor's SDK is used by its connector, and by doctor's test event", () => {
    const doctor = ['core/doctor.ts', 'core/doctor', 'cli/doctor.ts']
    expect(users(/^@segment\//, ['connectors/segment', ...doctor])).toEqual([])
    expect(users(/^@rudderstack\//, ['connectors/rudderstack', ...doctor])).toEqual([])
  })

  test('nothing calls fetch on its own where people’s data is handled', () => {
    const callers = [...texts].filter(
      ([path, text]) =>
        under(path, 'schemas', 'consent', 'core', 'connectors') &&
        !isTest(path) &&
        !under(path, 'core/testing') &&
        /(?<![.\w])fetch\(/.test(text),
    )
    expect(callers.map(([path]) => path)).toEqual([])
  })
})

describe('what users install', () => {
  const { dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    dependencies: Record<string, string>
  }
  const packageOf = (name: string) =>
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/')

  test('covers every package that runs outside tests and builds', () => {
    const missing = arrows.filter(
      ({ from, to, inside }) =>
        !inside &&
        !isBuiltin(to) &&
        !Object.hasOwn(dependencies, packageOf(to)) &&
        under(from, 'schemas', 'consent', 'core', 'connectors', 'cli', 'demo', 'bin') &&
        !isTest(from) &&
        (!under(from, 'core/testing') || from === 'core/testing/sandbox.ts'),
    )
    expect(show(missing)).toEqual([])
  })
})

describe('names and sizes', () => {
  test('no file or folder is called after nothing', () => {
    const vague = /^(utils?|helpers?|common|managers?|services?|v\d+)$/i
    const parts = paths.flatMap((path) => path.split('/').map((part) => ({ path, part: part.replace(/\..*$/, '') })))
    expect(parts.filter(({ part }) => vague.test(part)).map(({ path }) => path)).toEqual([])
  })

  test('a connector consists of source.ts, destination.ts and what they need beside them', () => {
    const files = sources.filter((path) => under(path, 'connectors') && path !== 'connectors/index.ts')
    const vendors = new Set(files.map((path) => path.split('/')[1]!))
    const without = [...vendors].filter(
      (vendor) =>
        !files.some(
          (path) => path.startsWith(`connectors/${vendor}/`) && /^(source|destination)\.ts$/.test(basename(path)),
        ),
    )
    expect(without).toEqual([])
  })

  test('no file is longer than 600 lines, no test than 900', () => {
    const generated = ['connectors/index.ts']
    const limit = (path: string) => (/\.test\.ts$|^core\/testing\//.test(path) ? 900 : 600)
    const long = [...texts].filter(
      ([path, text]) => !generated.includes(path) && text.split('\n').length > limit(path) + 1,
    )
    expect(long.map(([path]) => path)).toEqual([])
  })
})
