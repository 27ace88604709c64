import { hash, verify } from '@node-rs/argon2'
import PQueue from 'p-queue'

/** Argon2id (the default of this library), OWASP's first choice of parameters. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** A flood of logins must not hold 19 MiB each at the same time. */
const turns = new PQueue({ concurrency: 2 })

export function hashPassword(password: string): Promise<string> {
  return turns.add(() => hash(password, parameters))
}

/** A hash nobody knows the password of: an unknown user costs as much time as a wrong password. */
let nobody: Promise<string> | undefined

/** @param stored the hash on file, or undefined when there is no such user. */
export async function checkPassword(password: string, stored: string | undefined): Promise<boolean> {
  nobody ??= hashPassword(crypto.randomUUID())
  const against = stored ?? (await nobody)
  const matches = await turns.add(() => verify(against, password))
  return matches && stored !== undefined
}
