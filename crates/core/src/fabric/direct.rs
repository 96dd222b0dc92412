//! Direct networks: tori, meshes and full meshes, whose routers sit inside the accelerators.
//!
//! **Invariant.** Coordinates are mixed-radix digits of the accelerator's index, first dimension fastest; a port is
//! (dimension, which neighbour, parallel link). `peer` is an involution. A wrapped dimension of size one or two has no
//! wraparound: it would double the same pair.
//!
//! **Twist.** The wraparound of one ring can shift another one by half of it: a torus of k x k x 2k whose short wraparounds
//! shift the long dimension by k is as wide in every direction (Camarero, Martinez, Beivide: Lattice graphs for high-scale
//! interconnection topologies, IEEE TPDS 26(9) 2015). Optical circuit switches make slices of tori so.
//!
//! **Folding.** A dimension whose places all look alike (a ring, a full mesh) can be folded: one place stands for all, and
//! its links lead back to itself. Where a packet has to go is therefore kept as the *way left*, see [`Direct::way`].
//!
//! **Cost.** O(dimensions) a query; nothing is stored per vertex.

/// Most dimensions of a torus with a twist.
pub const MOST_TWISTED: usize = 8;

/// Kind of one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A line with `size` accelerators; ports: plus, minus.
    Line {
        /// Accelerators along it.
        size: u32,
        /// True if its ends are joined (size three or more).
        wrap: bool,
    },
    /// All pairs joined; port j leads j + 1 coordinates further, cyclically, so that all places look alike.
    Full {
        /// Accelerators along it.
        size: u32,
    },
}

impl Dimension {
    /// Accelerators along the dimension.
    pub fn size(self) -> u32 {
        match self {
            Dimension::Line { size, .. } | Dimension::Full { size } => size,
        }
    }

    /// Ports (neighbours, present or not) of each accelerator.
    pub fn neighbours(self) -> u32 {
        match self {
            Dimension::Line { size, .. } => {
                if size > 1 {
                    2
                } else {
                    0
                }
            }
            Dimension::Full { size } => size - 1,
        }
    }

    /// Coordinate of neighbour `j` of coordinate `x`, and which neighbour `x` is from there. `None` at a mesh's border.
    pub fn neighbour(self, x: u32, j: u32) -> Option<(u32, u32)> {
        match self {
            Dimension::Line { size, wrap } => match (j, x) {
                (0, x) if x + 1 < size => Some((x + 1, 1)),
                (0, _) if wrap => Some((0, 1)),
                (1, x) if x > 0 => Some((x - 1, 0)),
                (1, _) if wrap => Some((size - 1, 0)),
                _ => None,
            },
            Dimension::Full { size } => Some(((x + j + 1) % size, size - 2 - j)),
        }
    }
}

/// A torus, mesh or full mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Dimensions, fastest first.
    pub dims: Vec<Dim>,
    /// Parallel links between neighbours.
    pub links: u32,
    /// Routes around rings change to a second virtual channel at a dateline, which keeps them free of deadlock.
    pub dateline: bool,
    /// Pairs of rings: whoever crosses the wraparound of the first comes out half of the second further.
    pub twist: Vec<(usize, usize)>,
    turned: Vec<usize>,
}

/// A dimension with its place in indices and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dim {
    /// Shape.
    pub kind: Dimension,
    /// Product of the sizes of faster dimensions.
    pub stride: u32,
    /// First port.
    pub port: u32,
    /// What one place along it is worth in the way left; the stride of the unfolded shape.
    pub unit: u32,
    /// One place stands for all.
    pub folded: bool,
}

impl Dim {
    /// Coordinate of a position in this dimension.
    #[inline]
    pub fn at(&self, position: u32) -> u32 {
        if self.folded { 0 } else { position / self.stride % self.kind.size() }
    }

    /// A way that is half of the ring longer along it, cyclically.
    #[inline]
    pub fn half_further(&self, way: u32) -> u32 {
        let half = self.kind.size() / 2;
        if way / self.unit % self.kind.size() < half { way + half * self.unit } else { way - half * self.unit }
    }

    /// True if the way left along it is counted from where the packet is; otherwise (a mesh's line) it is a coordinate.
    #[inline]
    pub fn relative(&self) -> bool {
        !matches!(self.kind, Dimension::Line { wrap: false, .. })
    }
}

impl Direct {
    /// From dimensions, fastest first; `None` if there are none, one is zero or the product passes 31 bits.
    pub fn new(kinds: &[Dimension], links: u32) -> Option<Self> {
        let (mut stride, mut port) = (1u64, 0u64);
        let mut dims = Vec::with_capacity(kinds.len());
        for &kind in kinds {
            if kind.size() == 0 || links == 0 {
                return None;
            }
            let unit = stride as u32;
            dims.push(Dim { kind, stride: unit, port: port as u32, unit, folded: false });
            stride = stride.checked_mul(u64::from(kind.size()))?;
            port += u64::from(kind.neighbours()) * u64::from(links);
            if stride >= 1 << 31 || port >= 1 << 15 {
                return None;
            }
        }
        let dateline = kinds.iter().any(|k| matches!(k, Dimension::Line { wrap: true, .. }));
        (!dims.is_empty()).then_some(Self { dims, links, dateline, twist: vec![], turned: vec![] })
    }

    /// The same with pairs of rings of which the first's wraparound shifts the second.
    ///
    /// # Errors
    /// What is wrong with which pair.
    pub fn twisted(mut self, pairs: &[[u32; 2]]) -> Result<Self, String> {
        let ring = |i: u32| match self.dims.get(i as usize).map(|d| d.kind) {
            Some(Dimension::Line { size, wrap: true }) => Some(size),
            _ => None,
        };
        for (n, &[turned, shifted]) in pairs.iter().enumerate() {
            let name = format!("twist [{turned}, {shifted}]");
            let Some(size) = ring(turned).and(ring(shifted)) else {
                return Err(format!("{name} is of dimensions that are not both rings of three or more"));
            };
            if size % 2 == 1 {
                return Err(format!("{name} shifts a ring of {size}, which has no half"));
            }
            if pairs.iter().any(|&[a, _]| a == shifted) || pairs[..n].contains(&[turned, shifted]) {
                return Err(format!("{name} is there twice, or dimension {shifted} itself shifts another"));
            }
        }
        self.twist = pairs.iter().map(|&[turned, shifted]| (turned as usize, shifted as usize)).collect();
        self.turned = self.twist.iter().map(|pair| pair.0).collect();
        self.turned.sort_unstable();
        self.turned.dedup();
        if !self.twist.is_empty() && self.dims.len() > MOST_TWISTED {
            return Err(format!("a twist in {} dimensions, more than {MOST_TWISTED}", self.dims.len()));
        }
        Ok(self)
    }

    /// Dimensions whose wraparound shifts others.
    #[inline]
    pub fn turned(&self) -> &[usize] {
        &self.turned
    }

    /// Rings that the wraparound of a dimension shifts.
    pub fn shifts(&self, turned: usize) -> impl Iterator<Item = &Dim> {
        self.twist.iter().filter(move |pair| pair.0 == turned).map(|pair| &self.dims[pair.1])
    }

    /// Links between the lower and the upper half of an even dimension by wraparounds of others, of a line each.
    pub fn twisted_across(&self, shifted: usize) -> impl Iterator<Item = &Dim> {
        self.twist.iter().filter(move |pair| pair.1 == shifted).map(|pair| &self.dims[pair.0])
    }

    /// The same shape with some of its relative dimensions folded.
    pub fn fold(&self, folded: impl Fn(usize) -> bool) -> Self {
        let mut quotient = self.clone();
        let mut stride = 1;
        for (i, dim) in quotient.dims.iter_mut().enumerate() {
            dim.folded = dim.relative() && folded(i);
            dim.stride = stride;
            stride *= if dim.folded { 1 } else { dim.kind.size() };
        }
        quotient
    }

    /// Number of accelerators.
    pub fn positions(&self) -> u32 {
        self.dims.iter().filter(|d| !d.folded).map(|d| d.kind.size()).product()
    }

    /// The way from one position of the unfolded shape to another: by dimension the places ahead, cyclically, or the
    /// coordinate on a mesh's line. The same for all pairs that differ by a rotation.
    pub fn way(&self, from: u32, to: u32) -> u32 {
        let part = |d: &Dim| {
            let size = d.kind.size();
            let (x, y) = (from / d.unit % size, to / d.unit % size);
            let ahead = if y >= x { y - x } else { y + size - x };
            d.unit * if d.relative() { ahead } else { y }
        };
        let mut way = self.dims.iter().map(part).sum();
        for &(turned, shifted) in &self.twist {
            let d = &self.dims[turned];
            if to / d.unit % d.kind.size() < from / d.unit % d.kind.size() {
                way = self.dims[shifted].half_further(way);
            }
        }
        way
    }

    /// Ports of each accelerator.
    pub fn ports(&self) -> u32 {
        self.dims.iter().map(|d| d.kind.neighbours() * self.links).sum()
    }

    /// Dimension of a port.
    pub fn dimension(&self, port: u32) -> usize {
        self.dims.iter().rposition(|d| port >= d.port && d.kind.neighbours() > 0).unwrap_or(0)
    }

    /// The other end of a port; `None` at a mesh's border.
    pub fn peer(&self, position: u32, port: u32) -> Option<(u32, u32)> {
        let dim = &self.dims[self.dimension(port)];
        let (j, k) = ((port - dim.port) / self.links, (port - dim.port) % self.links);
        let x = dim.at(position);
        let (y, back) = dim.kind.neighbour(x, j)?;
        let mut there = if dim.folded { position } else { position - x * dim.stride + y * dim.stride };
        let around = if j == 0 { y <= x } else { y >= x };
        if around && !self.twist.is_empty() {
            for shifted in self.shifts(self.dimension(port)).filter(|d| !d.folded) {
                let (size, at) = (shifted.kind.size(), shifted.at(there));
                there = there - at * shifted.stride + (at + size / 2) % size * shifted.stride;
            }
        }
        Some((there, dim.port + back * self.links + k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_is_an_involution() {
        let line = |size, wrap| Dimension::Line { size, wrap };
        for direct in [
            Direct::new(&[line(4, true), line(3, false), line(2, false)], 2).unwrap(),
            Direct::new(&[Dimension::Full { size: 5 }, Dimension::Full { size: 3 }], 1).unwrap(),
            Direct::new(&[line(1, false), line(5, true)], 1).unwrap(),
            Direct::new(&[line(3, true), line(6, true)], 2).unwrap().twisted(&[[0, 1]]).unwrap(),
            Direct::new(&[line(8, true), line(4, true), line(8, true)], 1).unwrap().twisted(&[[1, 2], [1, 0]]).unwrap(),
        ] {
            for x in 0..direct.positions() {
                for port in 0..direct.ports() {
                    if let Some((y, q)) = direct.peer(x, port) {
                        assert_ne!(x, y);
                        assert_eq!(direct.peer(y, q), Some((x, port)), "{direct:?} {x}.{port}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_twist_is_refused() {
        let line = |size, wrap| Dimension::Line { size, wrap };
        let torus = |dims: &[Dimension], pairs: &[[u32; 2]]| Direct::new(dims, 1).unwrap().twisted(pairs).unwrap_err();
        let (ring, mesh) = (line(4, true), line(4, false));
        assert!(torus(&[ring, mesh], &[[0, 1]]).contains("[0, 1] is of dimensions that are not both rings"));
        assert!(torus(&[ring, ring], &[[0, 2]]).contains("not both rings"));
        assert!(torus(&[ring, line(5, true)], &[[0, 1]]).contains("a ring of 5"));
        assert!(torus(&[ring, ring, ring], &[[0, 1], [1, 2]]).contains("itself shifts another"));
        assert!(torus(&[ring, ring], &[[0, 1], [0, 1]]).contains("there twice"));
        assert!(torus(&[ring, ring], &[[0, 0]]).contains("itself"));
    }

    #[test]
    fn tpu_v4_pod_has_three_links_an_accelerator() {
        let wrap = Dimension::Line { size: 16, wrap: true };
        let torus = Direct::new(&[wrap, wrap, wrap], 1).unwrap();
        let ports = (0..torus.positions()).flat_map(|x| (0..torus.ports()).map(move |p| (x, p)));
        // 4096 accelerators x 6 ports, every one of them connected
        assert_eq!(ports.filter(|&(x, p)| torus.peer(x, p).is_some()).count(), 4096 * 6);
    }
}
