"""What the commands of this room print."""

from pathlib import Path

from sinenerf.rd.plan import read_plan
from sinenerf.rd.programs import PROGRAMS
from sinenerf.rd.sweep import estimate, missing, run_sweep, title


def sweep(plan: Path, data: Path | None, output: Path, dry_run: bool) -> int:
    """`sinenerf sweep`: 0 when all results are there, 1 when jobs failed, 130 after Ctrl-C."""
    read = read_plan(plan, data)
    jobs = missing(read, output)
    print(f"{plan}: {len(read.jobs)} jobs, {len(jobs)} to run, about {estimate(jobs) / 60:.0f} minutes", flush=True)
    if dry_run:
        for job in jobs:
            print(f"{title(job)}: about {PROGRAMS[job.program].estimate(job.settings):.0f} s")
        return 0
    report = run_sweep(read, output)
    print(f"{report.done} done, {report.there} were there, {len(report.failed)} failed; results in {output}")
    for job, reason in report.failed:
        print(f"failed: {title(job)}: {reason}")
    return 1 if report.failed else 0 if report.complete else 130
