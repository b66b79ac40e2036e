"""Apache Kafka's own tools, from Maven Central."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _server import SOURCE, check, skip  # noqa: E402

VERSION, LOG4J = "4.3.1", "2.25.4"


def maven_jars(name, wanted, transitive=True):
    """The jars of (group, artifact, version) entries from Maven Central, with what they need; kept in build/NAME between runs."""
    folder = SOURCE / "build" / name
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        dependencies = "".join(
            f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>"
            for g, a, v in wanted)
        (folder / "pom.xml").write_text("<project><modelVersion>4.0.0</modelVersion><groupId>millrace</groupId>"
                                        "<artifactId>clients</artifactId><version>1</version><packaging>pom</packaging>"
                                        f"<dependencies>{dependencies}</dependencies></project>")
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=libs",
                   f"-DexcludeTransitive={str(not transitive).lower()}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            skip(f"Maven could not fetch {name}: {done.stdout[-300:]}")
        (folder / "complete").touch()
    return folder / "libs"


def kafka_jars(*more):
    """Apache Kafka's tools, and `more` artifacts of Kafka ("kafka-streams")."""
    wanted = [*[("org.apache.kafka", name, VERSION) for name in ("kafka-tools", *more)],
              ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J), ("org.apache.logging.log4j", "log4j-core", LOG4J)]
    return maven_jars("-".join(["clients-kafka", VERSION, *more]), wanted)


def tool(libs, name, *arguments, data=None, within_s=180):
    """(status, output, errors) of one of Apache Kafka's tools; short names are those of org.apache.kafka.tools."""
    name = name if name.startswith("kafka.") else "org.apache.kafka.tools." + name
    done = subprocess.run(["java", "-Xmx256M", "-XX:TieredStopAtLevel=1", "-cp", f"{libs}/*", name, *arguments],
                          input=data, capture_output=True, text=True, timeout=within_s)
    return done.returncode, done.stdout, done.stderr


def run(libs, name, *arguments, data=None):
    """Its output; fails when the tool ends with an error or complains."""
    status, out, err = tool(libs, name, *arguments, data=data)
    check(status == 0, f"{name} {' '.join(arguments)} ended with {status}: {out[-1000:]}{err[-2000:]}")
    check("ERROR" not in out + err, f"{name} complains: {out[-1000:]}{err[-2000:]}")
    return out
