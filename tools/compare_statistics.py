#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws tables, runs `scintigen stats --json` on each and compares every p-value and statistic with SciPy, statsmodels or, where
those have no such test, an independent computation below. Prints the worst difference of each test; fails beyond its tolerance.

    python3 tools/compare_statistics.py build/release/scintigen [--tables 200] [--seed 1]

Oracles and their own accuracy:
  anova, kruskal, mann_whitney, ks, welch_t, paired_t, effect sizes' t: SciPy, double precision
  welch_anova, holm, bh, tost, mcnemar: statsmodels, double precision
  tukey, games_howell: scipy.stats.studentized_range.sf (nested quadrature, about 1e-10; AS 190's integral)
  dunnett: nested adaptive quadrature of SciPy (scipy.integrate) over s and the shared normal, absolute 1e-10. (SciPy's own dunnett
           came with 1.11 and integrates by randomised quasi-Monte-Carlo, about 1e-4; Debian 12 has 1.10.)
  wilcoxon: without ties and zeros SciPy (exact to n = 50); otherwise a plain enumeration (n <= 14) or the polynomial of all signs
            (Fractions); its normal approximation p_normal against SciPy's mode="approx" everywhere
  hedges_g interval: scipy.stats.nct by brentq
"""
import argparse
import collections
import csv
import fractions
import itertools
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy
import scipy
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats
import statsmodels
import statsmodels.stats.contingency_tables
import statsmodels.stats.multitest
import statsmodels.stats.oneway
import statsmodels.stats.weightstats

warnings.simplefilter("ignore")
TOLERANCE = collections.defaultdict(lambda: 1e-8)


def chi_density(s, df):
    """Density of sqrt(chi^2_df / df)."""
    return math.exp(math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2) + (df - 1) * math.log(s) - df * s * s / 2)


def dunnett_oracle(t, loadings, df):
    loadings = numpy.array(loadings)
    rest = numpy.sqrt(1 - loadings**2)

    def inside(c):
        def kept(y):
            up = scipy.special.ndtr((c - loadings * y) / rest)
            down = scipy.special.ndtr((-c - loadings * y) / rest)
            return math.exp(-y * y / 2) / math.sqrt(2 * math.pi) * float(numpy.prod(up - down))
        return scipy.integrate.quad(kept, -9, 9, epsabs=1e-12, epsrel=1e-11, limit=400, points=[0])[0]

    low = math.sqrt(scipy.stats.chi2.ppf(1e-14, df) / df)
    high = math.sqrt(scipy.stats.chi2.isf(1e-14, df) / df)
    middle = math.sqrt(scipy.stats.chi2.ppf(0.5, df) / df)
    value = sum(scipy.integrate.quad(lambda s: chi_density(s, df) * inside(t * s), a, b, epsabs=1e-12, epsrel=1e-11, limit=200)[0]
                for a, b in ((low, middle), (middle, high)))
    return 1 - value


def signed_rank_oracle(d):
    """Two-sided p over all signs of the mid-ranks, in whole numbers."""
    twice = [round(2 * r) for r in scipy.stats.rankdata(numpy.abs(d))]
    plus = sum(r for r, x in zip(twice, d) if x > 0)
    if len(twice) <= 14:
        sums = [sum(r for r, s in zip(twice, signs) if s) for signs in itertools.product((0, 1), repeat=len(twice))]
        below, above, total = sum(s <= plus for s in sums), sum(s >= plus for s in sums), len(sums)
    else:
        counts = {0: 1}
        for r in twice:
            new = collections.Counter()
            for s, c in counts.items():
                new[s] += c
                new[s + r] += c
            counts = new
        below = sum(c for s, c in counts.items() if s <= plus)
        above = sum(c for s, c in counts.items() if s >= plus)
        total = 2 ** len(twice)
    return min(1.0, float(fractions.Fraction(2 * min(below, above), total)))


def hedges_interval(t, df, scale):
    j = math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
    ends = [scipy.optimize.brentq(lambda delta: scipy.stats.nct.cdf(t, df, delta) - q, t - 12 - abs(t), t + 12 + abs(t), xtol=1e-12)
            for q in (0.975, 0.025)]
    return [j * end / scale for end in ends]


def draw(random, kind):
    """Rows (pair, group, value) of one table. Kinds go round: plain, ties, n = 2, equal values, empty groups, n = 1, 0/1, large offset."""
    k = int(random.integers(2, 6))
    if kind in ("pairs", "pair_ties", "binary", "pair_large"):
        k = 2
    sizes = random.integers(3, 25, k)
    if kind == "n2":
        sizes[:] = 2
    if kind == "n1":
        sizes[0] = 1
    if kind == "pair_large":
        sizes[:] = 70
    if kind == "unequal":
        sizes[0] = 90
    rows = []
    shift = random.normal(0, 0.7, k)
    scale = numpy.exp(random.normal(0, 0.4, k))
    for g in range(k):
        values = random.normal(shift[g], scale[g], sizes[g])
        if kind in ("ties", "pair_ties"):
            values = numpy.round(values * 2)
        if kind == "binary":
            values = (values > 0).astype(float)
        if kind == "offset":
            values = values + 1e6
        if kind == "equal":
            values[:] = 3.25
        if kind == "equal_within":
            values[:] = 1.5 * g
        if kind == "one_equal" and g == 0:
            values[:] = 0.1
        for i, value in enumerate(values):
            missing = kind == "missing" and random.random() < 0.2
            rows.append([f"p{i}", f"g{g}", "n/a" if missing else repr(float(value))])
    if kind == "empty":
        rows += [["p0", "void", "n/a"], ["p1", "void", ""]]
    random.shuffle(rows)
    return rows


KINDS = ["pairs", "ties", "n2", "equal", "empty", "n1", "binary", "offset", "pair_ties", "missing", "equal_within", "one_equal",
         "unequal", "pair_large", "plain", "pairs"]


class Tally:
    def __init__(self):
        self.worst, self.count, self.refused, self.failures = collections.Counter(), collections.Counter(), collections.Counter(), []

    def number(self, where, name, ours, oracle):
        """Both None or not finite: counted as agreed that there is no figure."""
        none = oracle is None or not math.isfinite(oracle)
        if none or ours is None:
            self.refused[name] += 1
            if not (none and ours is None):
                self.failures.append(f"{where} {name}: ours {ours}, oracle {oracle}")
            return
        difference = abs(ours - oracle) / (1 if name.endswith(".p") or ".p_" in name else max(1, abs(oracle)))
        self.count[name] += 1
        self.worst[name] = max(self.worst[name], difference)
        if not difference <= TOLERANCE[name]:
            self.failures.append(f"{where} {name}: ours {ours}, oracle {oracle}")


def compare_all_groups(tally, where, out, names, groups):
    values = [groups[n] for n in names]
    every = numpy.concatenate(values)
    n, k = len(every), len(values)
    same = bool(numpy.all(every == every[0]))
    within = all(numpy.all(v == v[0]) for v in values)
    f = p = None
    if n > k and not same:
        f, p = (None, 0.0) if within else scipy.stats.f_oneway(*values)
    tally.number(where, "anova.F", out["anova"]["F"], f)
    tally.number(where, "anova.p", out["anova"]["p"], p)
    usable = all(len(v) > 1 and not numpy.all(v == v[0]) for v in values)
    welch = statsmodels.stats.oneway.anova_oneway(values, use_var="unequal") if usable else None
    tally.number(where, "welch_anova.F", out["welch_anova"]["F"], welch.statistic if usable else None)
    tally.number(where, "welch_anova.df2", out["welch_anova"]["df2"], welch.df[1] if usable else None)
    tally.number(where, "welch_anova.p", out["welch_anova"]["p"], welch.pvalue if usable else None)
    h, p = (None, None) if same else scipy.stats.kruskal(*values)
    tally.number(where, "kruskal.H", out["kruskal"]["H"], h)
    tally.number(where, "kruskal.p", out["kruskal"]["p"], p)
    msw = sum(((v - v.mean())**2).sum() for v in values) / (n - k) if n > k and not within else None
    for pair in out["tukey"]:
        a, b = groups[pair["a"]], groups[pair["b"]]
        p = None
        if msw:
            q = abs(a.mean() - b.mean()) / math.sqrt(msw / 2 * (1 / len(a) + 1 / len(b)))
            p = scipy.stats.studentized_range.sf(q, k, n - k)
        elif n > k and a[0] != b[0]:
            p = 0
        tally.number(where, "tukey.p", pair["p"], p)
        tally.number(where, "tukey.difference", pair["difference"], a.mean() - b.mean())
    for pair in out["games_howell"]:
        a, b = groups[pair["a"]], groups[pair["b"]]
        p = None
        if len(a) > 1 and len(b) > 1:
            constant = numpy.all(a == a[0]) and numpy.all(b == b[0])
            if constant:
                p = None if a[0] == b[0] else 0
            else:
                va = 0 if numpy.all(a == a[0]) else a.var(ddof=1) / len(a)
                vb = 0 if numpy.all(b == b[0]) else b.var(ddof=1) / len(b)
                df = (va + vb)**2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
                p = scipy.stats.studentized_range.sf(abs(a.mean() - b.mean()) / math.sqrt((va + vb) / 2), k, df)
        tally.number(where, "games_howell.p", pair["p"], p)
    control = groups[out["control"]]
    loadings = [math.sqrt(len(groups[m]) / (len(groups[m]) + len(control))) for m in names if m != out["control"]]
    for pair in out["dunnett"]:
        a = groups[pair["a"]]
        p = None
        if msw:
            t = abs(a.mean() - control.mean()) / math.sqrt(msw * (1 / len(a) + 1 / len(control)))
            p = dunnett_oracle(t, loadings, n - k)
        elif n > k and a[0] != control[0]:
            p = 0
        tally.number(where, "dunnett.p", pair["p"], p)


def compare_two(tally, where, pair, a, b, margin):
    constant = numpy.all(a == a[0]) and numpy.all(b == b[0])
    t = p = lower = None
    if min(len(a), len(b)) > 1:
        if not constant:
            t, p = scipy.stats.ttest_ind(a, b, equal_var=False)
            lower = statsmodels.stats.weightstats.ttost_ind(a, b, -margin, margin, usevar="unequal")[0]
        else:
            p = None if a[0] == b[0] else 0
            lower = 0 if abs(a[0] - b[0]) < margin else 1
    tally.number(where, "welch_t.t", pair["welch_t"].get("t"), t)
    tally.number(where, "welch_t.p", pair["welch_t"]["p"], p)
    tally.number(where, "tost_welch.p", pair["tost_welch"]["p"], lower)
    u, p = scipy.stats.mannwhitneyu(a, b)
    tally.number(where, "mann_whitney.U", pair["mann_whitney"]["U"], u)
    tally.number(where, "mann_whitney.p", pair["mann_whitney"]["p"], p)
    d, p = scipy.stats.ks_2samp(a, b)
    tally.number(where, "ks.D", pair["ks"]["D"], d)
    tally.number(where, "ks.p", pair["ks"]["p"], p)
    df = len(a) + len(b) - 2
    squares = (0 if len(a) < 2 else a.var() * len(a)) + (0 if len(b) < 2 else b.var() * len(b))
    if df >= 2 and not constant and "interval" in pair["effect_size"]:
        scale = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
        effect = (a.mean() - b.mean()) / math.sqrt(squares / df)
        tally.number(where, "cohens_d", pair["effect_size"]["cohens_d"], effect)
        ends = hedges_interval(effect * scale, df, scale)
        tally.number(where, "hedges_g.low", pair["effect_size"]["interval"]["low"], ends[0])
        tally.number(where, "hedges_g.high", pair["effect_size"]["interval"]["high"], ends[1])


def compare_pairs(tally, where, pair, a, b, margin):
    d = a - b
    left = d[d != 0]
    constant = len(d) < 2 or numpy.ptp(d) <= 4 * numpy.finfo(float).eps * max(abs(a).max(), abs(b).max())
    t = p = lower = None
    if len(d) > 1:
        if not constant:
            t, p = scipy.stats.ttest_rel(a, b)
            lower = statsmodels.stats.weightstats.ttost_paired(a, b, -margin, margin)[0]
        else:
            p = None if d[0] == 0 else 0
            lower = 0 if abs(d[0]) < margin else 1
    tally.number(where, "paired_t.t", pair["paired_t"].get("t"), t)
    tally.number(where, "paired_t.p", pair["paired_t"]["p"], p)
    tally.number(where, "tost_paired.p", pair["tost_paired"]["p"], lower)
    if not len(left):
        tally.number(where, "wilcoxon.p", pair["wilcoxon"]["p"], None)
    else:
        plain = len(left) == len(d) and len(set(abs(d))) == len(d)
        w, p = scipy.stats.wilcoxon(left, mode="approx")
        tally.number(where, "wilcoxon.W", pair["wilcoxon"]["W"], w)
        tally.number(where, "wilcoxon.p_normal", pair["wilcoxon"]["p_normal"], p)
        if len(left) <= 50:
            p = scipy.stats.wilcoxon(left, mode="exact")[1] if plain else signed_rank_oracle(left)
        tally.number(where, "wilcoxon.p", pair["wilcoxon"]["p"], p)
    if set(a) | set(b) <= {0.0, 1.0}:
        table = [[int(((a == i) & (b == j)).sum()) for j in (0, 1)] for i in (0, 1)]
        p = statsmodels.stats.contingency_tables.mcnemar(table, exact=True).pvalue
        tally.number(where, "mcnemar.p", pair["mcnemar"]["p"], p)


def compare_adjusted(tally, where, out, method):
    for test in ("welch_t", "mann_whitney", "ks"):
        entries = [pair[test] for pair in out["pairwise"] if pair[test]["p"] is not None]
        if len(out["pairwise"]) < 2 or not entries:
            continue
        higher = statsmodels.stats.multitest.multipletests([e["p"] for e in entries], method={"holm": "holm", "bh": "fdr_bh"}[method])[1]
        for entry, p in zip(entries, higher):
            tally.number(where, f"{method}.p", entry["p_adjusted"], p)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random, tally, margin = numpy.random.default_rng(arguments.seed), Tally(), 0.8
    holder = tempfile.TemporaryDirectory()
    folder = pathlib.Path(holder.name)
    for number in range(arguments.tables):
        kind = KINDS[number % len(KINDS)]
        rows, file = draw(random, kind), folder / f"{number}.csv"
        with open(file, "w", newline="") as handle:
            csv.writer(handle).writerows([["id", "group", "value"]] + rows)
        method = ("holm", "bh")[number % 2]
        run = subprocess.run([arguments.program, "stats", str(file), "--value", "value", "--group", "group", "--pair", "id", "--margin",
                              str(margin), "--adjust", method, "--resamples", "100", "--json"], capture_output=True, text=True)
        where = f"table {number} ({kind})"
        if run.returncode != 0:
            tally.failures.append(f"{where}: exit status {run.returncode}: {run.stderr.strip()}")
            continue
        out = json.loads(run.stdout, parse_constant=lambda word: tally.failures.append(f"{where}: {word} in the JSON"))
        groups, pairs = {}, {}
        for person, group, text in rows:
            if text not in ("n/a", ""):
                groups.setdefault(group, []).append(float(text))
                pairs.setdefault(group, {})[person] = float(text)
        groups = {name: numpy.array(values) for name, values in groups.items()}
        names = [entry["name"] for entry in out["groups"]]
        if sorted(names) != sorted(groups):
            tally.failures.append(f"{where}: groups {names}, expected {sorted(groups)}")
            continue
        compare_all_groups(tally, where, out, names, groups)
        for pair in out["pairwise"]:
            compare_two(tally, where, pair, groups[pair["a"]], groups[pair["b"]], margin)
            first, second = pairs[pair["a"]], pairs[pair["b"]]
            both = [person for person in first if person in second]
            if both:
                compare_pairs(tally, where, pair, numpy.array([first[p] for p in both]), numpy.array([second[p] for p in both]), margin)
        compare_adjusted(tally, where, out, method)
    print(f"{arguments.tables} tables, seed {arguments.seed}, SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}, NumPy {numpy.__version__}")
    print(f"{'figure':<22} {'compared':>8} {'no figure in both':>18} {'worst difference':>17} {'tolerance':>10}")
    for name in sorted(set(tally.count) | set(tally.refused)):
        print(f"{name:<22} {tally.count[name]:>8} {tally.refused[name]:>18} {tally.worst[name]:>17.1e} {TOLERANCE[name]:>10.0e}")
    for failure in tally.failures[:40]:
        print("FAILED", failure)
    print(f"{len(tally.failures)} failures")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
