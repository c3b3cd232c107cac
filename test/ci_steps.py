"""ci_steps.py github|gitlab FILE - run the steps of a CI job as its service would

Secrets and variables come from the environment, as CI_SECRET_NAME.  The folder
of the job is the current one; $CI_TEMP is what the service has outside of it.
Ends with 0 when all steps did; those that always run do so after a failure too.
"""
import os
import re
import subprocess
import sys

import yaml

TEMP = os.environ["CI_TEMP"]
SECRETS = {k[len("CI_SECRET_"):]: v for k, v in os.environ.items() if v and k.startswith("CI_SECRET_")}
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("CI_SECRET_")}


def run(shell, text, env):
    print(f"--- {text.strip().splitlines()[0]}", flush=True)
    return subprocess.run([*shell, text], env=env).returncode


def expand(value):
    """${{ secrets.NAME }} and ${{ vars.NAME }}; one that is not set is empty."""
    return re.sub(r"\$\{\{ *(?:secrets|vars)\.(\w+) *\}\}",
                  lambda m: SECRETS.get(m[1], ""), str(value))


def environment(*tables):
    return {k: expand(v) for table in tables for k, v in (table or {}).items()}


def github(job):
    if isinstance(job.get("container"), dict) and not job["container"].get("image"):
        sys.exit("the container has no image")
    names = os.path.join(TEMP, "github-env")
    open(names, "w").close()
    given, status = {}, 0
    for step in job["steps"]:
        if "run" not in step:
            if "@v" not in step["uses"]:
                sys.exit(f"{step['uses']} has no version")
            continue
        if "${{" in step["run"]:
            sys.exit(f"an expression stands in the text of a command: {step['run']}")
        if step.get("if", "success()") not in ("success()", "always()"):
            sys.exit(f"no such condition: {step['if']}")
        if status and step.get("if") != "always()":
            continue
        env = {**CLEAN, "RUNNER_TEMP": TEMP, "GITHUB_ENV": names,
               **environment(job.get("env"), step.get("env")), **given}
        status = run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"], step["run"],
                     env) or status
        with open(names) as f:
            given = dict(line.rstrip("\n").split("=", 1) for line in f)
    return status


def gitlab(job):
    """Variables are in the environment of all; those of type File are paths."""
    project = os.path.join(TEMP, "project")
    env = {**CLEAN, "CI_PROJECT_DIR": project, "CI_COMMIT_REF_SLUG": "main", **SECRETS}
    if "GG_SIGNING_KEY" in SECRETS:
        os.makedirs(project + ".tmp", exist_ok=True)
        env["GG_SIGNING_KEY"] = os.path.join(project + ".tmp", "GG_SIGNING_KEY")
        with open(env["GG_SIGNING_KEY"], "w") as f:
            f.write(SECRETS["GG_SIGNING_KEY"] + "\n")
        os.chmod(env["GG_SIGNING_KEY"], 0o666)
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
    status = run(shell, "\n".join(job.get("before_script", []) + job["script"]), env)
    for line in job.get("after_script", []):
        run(shell, line, env)
    return status


def main():
    kind, path = sys.argv[1:]
    with open(path) as f:
        doc = yaml.safe_load(f)
    jobs = doc["jobs"] if kind == "github" else doc
    (job,) = jobs.values()
    sys.exit({"github": github, "gitlab": gitlab}[kind](job))


main()
