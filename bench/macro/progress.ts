/** Says on a terminal what is going on, in one line that goes again; silent where the output is no terminal. */
const BAR = 20

export class Progress {
  readonly #out = process.stderr
  readonly #isShown: boolean

  constructor(isShown = process.stderr.isTTY === true) {
    this.#isShown = isShown
  }

  /** @param done steps done of `all` */
  show(done: number, all: number, what: string): void {
    const filled = all === 0 ? BAR : Math.round((done / all) * BAR)
    this.say(`${'█'.repeat(filled).padEnd(BAR, '░')} ${done}/${all} ${what}`)
  }

  say(text: string): void {
    if (this.#isShown) this.#out.write(`\r\u001b[2K${text}`)
  }

  clear(): void {
    this.say('')
  }
}
