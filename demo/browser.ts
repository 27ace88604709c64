/** Opens an address in the person's browser, when there is a person and a browser. */
import { spawn } from 'node:child_process'

const COMMANDS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  // `start` reads & as the end of a command; this one takes the address as it is.
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
}

/** Never fails: the address was printed as well. */
export function openBrowser(address: string): void {
  const [command, ...given] = COMMANDS[process.platform] ?? ['xdg-open']
  const browser = spawn(command, [...given, address], { stdio: 'ignore', detached: true })
  browser.on('error', () => {})
  browser.unref()
}
